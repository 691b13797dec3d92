// Panes with any method at any bits, in a real Chromium.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { another, byId, drop, open, png, saved, score, setBits, start, state, stop, visit } from "./browser.js";

before(start);
after(stop);

/** What the panes show, in their order. */
const panes = (page) =>
  page.evaluate(() => {
    const shown = [...document.querySelectorAll(".pane.shown")].map((pane) => /** @type {HTMLElement} */ (pane));
    return shown.sort((a, b) => Number(a.style.order) - Number(b.style.order)).map((pane) => pane.querySelector("select")?.selectedOptions[0].text);
  });

const cells = (page, id) => byId(page, `psnr-${id}`).textContent();

test("a method is kept as it is while the bits change, follows them again, and other bits are one choice away", async () => {
  const page = await open();
  await byId(page, "sample-parrot").click();
  await state(page, "done");
  const [atFour, full] = [await score(page, "psnr-dfsq"), await score(page, "psnr-fp32")];
  await byId(page, "keep-dfsq").click();
  await setBits(page, "weight-bits", 2);
  await another(page, "psnr-dfsq", atFour);
  assert.deepEqual(await panes(page), ["Full precision", "DFSQ-opt", "DFSQ W4A4", "Min-max"]);
  assert.equal(await score(page, "psnr-dfsq-w4a4"), atFour, "it is what it was");
  assert.ok((await score(page, "psnr-dfsq")) < atFour);

  // The map of noise takes what is kept, too, until another method is looked at.
  const map = () => byId(page, "figure-heatmap").locator("svg").evaluate((svg) => svg.outerHTML);
  const heat = (value) => byId(page, "heat-method").locator(`input[value="${value}"]`);
  const label = () => byId(page, "figure-heatmap").locator("svg").getAttribute("aria-label");
  const atTwo = await map();
  await heat("dfsq-w4a4").check({ force: true });
  await page.waitForFunction((before) => document.querySelector('[data-testid="figure-heatmap"] svg')?.outerHTML !== before, atTwo);
  assert.match(String(await label()), /with DFSQ W4A4/);
  await heat("min-max").check({ force: true });
  assert.ok(!(await heat("dfsq-w4a4").isChecked()));

  await byId(page, "pane-method-fp32").selectOption("min-max@6");
  await state(page, "done");
  assert.deepEqual(await panes(page), ["Min-max W6A6", "DFSQ-opt", "DFSQ W4A4", "Min-max"]);
  assert.ok(full - (await score(page, "psnr-min-max-w6a6")) < 1);
  assert.match(await page.locator('[data-testid="crops-canvas"]').getAttribute("aria-label"), /DFSQ W4A4 .*Min-max W6A6/);
  assert.match(String((await saved(page, "export-csv")).bytes), /,dfsq,4,4,.*\r\n(.*\r\n)*.*,min-max,6,6,/);

  // What has a pane already changes places.
  await byId(page, "pane-method-min-max").selectOption("dfsq-opt");
  assert.deepEqual(await panes(page), ["Min-max W6A6", "Min-max", "DFSQ W4A4", "DFSQ-opt"]);

  const [before, scores] = [await panes(page), await Promise.all(["dfsq-w4a4", "min-max-w6a6", "dfsq-opt"].map((id) => cells(page, id)))];
  await page.waitForTimeout(1500);
  await page.reload();
  await state(page, "ready", "running", "done");
  await state(page, "done");
  assert.deepEqual(await panes(page), before, "they are there tomorrow");
  assert.deepEqual(await Promise.all(["dfsq-w4a4", "min-max-w6a6", "dfsq-opt"].map((id) => cells(page, id))), scores);

  await byId(page, "keep-dfsq-w4a4").click();
  assert.deepEqual(await panes(page), ["Min-max W6A6", "Min-max", "DFSQ", "DFSQ-opt"]);
  assert.equal(await byId(page, "psnr-dfsq-w4a4").count(), 0);
  assert.deepEqual(page.complaints, []);
});

test("kept methods are in the link, and are what a pair compares", async () => {
  const page = await open("#sample=bikes&weights=3&activations=3&view=pair&left=dfsq-w2a8&right=dfsq&kept=method%3Ddfsq%26weights%3D2%26activations%3D8%20method%3Dnone&panes=dfsq-w2a8,fp32,gone,dfsq-w2a8");
  await state(page, "done");
  assert.equal(await byId(page, "method-left").inputValue(), "dfsq-w2a8");
  assert.match(await byId(page, "error").textContent(), /could be followed.*: kept, panes\./, "one of both kept, and panes that are not there");
  assert.ok((await score(page, "psnr-dfsq-w2a8")) > 0);
  await page.locator('[name=view][value="panes"]').check({ force: true });
  assert.deepEqual(await panes(page), ["DFSQ W2A8", "Full precision", "DFSQ-opt", "DFSQ"], "each once, and what is not there replaced");
  await byId(page, "error").getByRole("button", { name: "Dismiss" }).click();
  await visit(page, "#sample=bikes&weights=3&activations=3&kept=activations%3D8%26weights%3D2%26method%3Ddfsq&panes=fp32,dfsq-opt,dfsq,min-max");
  await state(page, "done");
  assert.ok(await byId(page, "error").isHidden(), "all of it was followed");
  await visit(page, "#sample=bikes&weights=3&activations=3");
  await state(page, "done");
  assert.equal(await byId(page, "psnr-dfsq-w2a8").count(), 0, "a link without any keeps none");
  assert.deepEqual(page.complaints, []);
});

test("two networks are compared on one picture: what is kept stays with its network, and another is one choice away", async () => {
  const page = await open("#network=edsr_x2&sample=parrot&weights=4&activations=4");
  await state(page, "done");
  const [full, dfsq] = [await score(page, "psnr-fp32"), await score(page, "psnr-dfsq")];
  await byId(page, "keep-fp32").click();
  await byId(page, "keep-dfsq").click();
  await byId(page, "model-select").selectOption("rdn_x2");
  await another(page, "psnr-fp32", full);
  assert.deepEqual(await panes(page), ["EDSR ×2: Full precision", "DFSQ-opt", "EDSR ×2: DFSQ W4A4", "Min-max"]);
  assert.equal(await score(page, "psnr-fp32-kept"), full);
  assert.equal(await score(page, "psnr-dfsq-w4a4"), dfsq);
  assert.match(await page.locator("#scores").textContent(), /Full precision, EDSR ×2.*DFSQ, EDSR ×2/s);
  assert.equal(await byId(page, "full-dfsq-w4a4").textContent(), "–", "it is no distance from another network");

  // Another picture runs on both.
  const rdn = await score(page, "psnr-fp32");
  await drop(page, await png(page, 96, 80));
  await another(page, "psnr-fp32", rdn);
  assert.notEqual(await score(page, "psnr-fp32-kept"), full);
  const csv = String((await saved(page, "export-csv")).bytes);
  const networks = (method) => new Set(csv.split("\r\n").filter((line) => line.includes(`waves-96x80.png,benchmark,reference,${method},`)).map((line) => line.split(",").at(-2)));
  assert.equal(networks("fp32").size, 2);
  assert.equal(networks("min-max").size, 1);

  await byId(page, "pane-method-min-max").selectOption({ label: "EDSR ×2: Min-max" });
  await byId(page, "psnr-min-max-w4a4").waitFor();
  await state(page, "done");
  assert.deepEqual(await panes(page), ["EDSR ×2: Full precision", "DFSQ-opt", "EDSR ×2: DFSQ W4A4", "EDSR ×2: Min-max W4A4"]);
  const scores = () => Promise.all(["fp32-kept", "dfsq-w4a4", "min-max-w4a4", "fp32"].map((id) => cells(page, id)));
  const [before, values] = [await panes(page), await scores()];
  await page.waitForTimeout(1500);
  await page.reload();
  await state(page, "ready", "running", "done");
  await state(page, "done");
  assert.deepEqual([await panes(page), await scores()], [before, values], "both are there tomorrow");

  await byId(page, "model-select").selectOption("edsr_x2");
  await another(page, "psnr-fp32", Number(values[3]));
  assert.deepEqual(await panes(page), ["Full precision, kept", "DFSQ-opt", "DFSQ W4A4", "Min-max W4A4"], "in use again");
  await byId(page, "model-select").selectOption("rdn_x4");
  await state(page, "done");
  assert.deepEqual(await panes(page), ["Full precision, kept", "DFSQ-opt", "DFSQ W4A4", "Min-max W4A4"], "of a network that enlarges otherwise");
  assert.deepEqual(page.complaints, []);
});
