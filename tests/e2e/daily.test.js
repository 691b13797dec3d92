// What daily use needs, in a real Chromium: undo, keys, exact regions, times of methods by themselves, methods in crops.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { another, byId, drop, open, png, saved, score, setBits, start, state, stop } from "./browser.js";

before(start);
after(stop);

/** Waits until these bits of weights are chosen. */
const bits = (page, wanted) => page.waitForFunction((value) => document.querySelector("#weight-bits :checked").getAttribute("value") === value, wanted);

test("settings are undone one by one, with the button and with the key, but not beyond a network", async () => {
  const page = await open();
  await drop(page, await png(page, 48, 48));
  await state(page, "done");
  const four = await score(page, "psnr-dfsq");
  assert.ok(await byId(page, "undo").isDisabled(), "nothing was changed yet");
  await setBits(page, "weight-bits", 3);
  await setBits(page, "weight-bits", 2);
  await another(page, "psnr-dfsq", four);
  await page.locator("h1").click();
  await page.keyboard.press("Control+z");
  await bits(page, "3");
  await byId(page, "undo").click();
  await bits(page, "4");
  await page.waitForFunction((wanted) => document.querySelector('[data-testid="psnr-dfsq"]').textContent === wanted, four.toFixed(3));
  await page.waitForFunction(() => document.querySelector("#undo").disabled);
  await setBits(page, "weight-bits", 3);
  await byId(page, "model-select").selectOption("edsr_x4");
  await page.waitForFunction(() => /×4/.test(document.querySelector("#model-select, [data-testid=model-select]").selectedOptions[0].text));
  await state(page, "done");
  assert.ok(await byId(page, "undo").isDisabled(), "settings of another network are not brought back");
  assert.deepEqual(page.complaints, []);
});

test("the question mark lists all keys, but not while one types", async () => {
  const page = await open();
  await page.locator("h1").click();
  await page.keyboard.press("?");
  await byId(page, "keys").getByText("Undo the last setting").waitFor();
  await page.keyboard.press("Escape");
  assert.ok(await byId(page, "keys").isHidden());
  await drop(page, await png(page, 64, 48));
  await state(page, "done");
  await page.locator("#region-exact summary").click();
  await byId(page, "region-x").focus();
  await page.keyboard.press("?");
  assert.ok(await byId(page, "keys").isHidden());
  assert.deepEqual(page.complaints, []);
});

test("a region is typed in pixels, and kept within the image", async () => {
  const page = await open();
  await drop(page, await png(page, 64, 48));
  await state(page, "done");
  await page.locator("#region-exact summary").click();
  const values = () => Promise.all(["x", "y", "width", "height"].map((side) => byId(page, `region-${side}`).inputValue()));
  assert.deepEqual(await values(), ["0", "0", "64", "48"]);
  for (const [side, value] of [["width", 32], ["height", 24], ["x", 8], ["y", 4000]]) {
    await byId(page, `region-${side}`).fill(String(value));
    await page.keyboard.press("Tab");
  }
  await page.locator("h1").click();
  await state(page, "done");
  await page.waitForFunction(() => document.querySelector('[data-testid="region-y"]').value === "24");
  assert.deepEqual(await values(), ["8", "24", "32", "24"]);
  await page.waitForFunction(() => /32 × 24/.test(document.querySelector("#status").textContent));
  await byId(page, "region-width").fill("");
  await page.keyboard.press("Tab");
  await page.locator("h1").click();
  await page.waitForFunction(() => document.querySelector('[data-testid="region-width"]').value !== "");
  assert.deepEqual(page.complaints, []);
});

test("times are those of methods by themselves, and there once they are measured", async () => {
  const page = await open();
  await drop(page, await png(page, 64, 64));
  await state(page, "done");
  const head = page.locator("#scores th", { hasText: "Time alone" });
  assert.ok(await head.isHidden());
  assert.doesNotMatch(await page.locator('.pane[data-method="dfsq"] figcaption').textContent(), / s\b/);
  await byId(page, "measure-times").click();
  await page.waitForFunction(() => ["fp32", "dfsq-opt", "dfsq", "min-max"].every((id) => /^\d+\.\d\d$/.test(document.querySelector(`[data-testid="time-${id}"]`).textContent)));
  await state(page, "done");
  assert.ok(await head.isVisible() && (await byId(page, "measure-times").isDisabled()), "all are known");
  assert.match(await page.locator('.pane[data-method="dfsq"] figcaption').textContent(), /\d\.\d\d s alone/);
  const times = await byId(page, "time-dfsq").textContent();
  await setBits(page, "weight-bits", 3);
  await state(page, "done");
  await page.waitForFunction(() => document.querySelector('[data-testid="time-dfsq"]').textContent === "–");
  await setBits(page, "weight-bits", 4);
  await page.waitForFunction((wanted) => document.querySelector('[data-testid="time-dfsq"]').textContent === wanted, times);
  assert.deepEqual(page.complaints, []);
});

test("crops have the methods that are chosen, and the picture that is saved says whose it is", async () => {
  const page = await open();
  await drop(page, await png(page, 64, 64));
  await state(page, "done");
  const label = () => byId(page, "crops-canvas").getAttribute("aria-label");
  await page.waitForFunction(() => document.querySelector('[data-testid="crops-canvas"]').ariaLabel?.includes("Bicubic"));
  await page.locator("#crop-methods summary").click();
  await page.locator('#crop-methods input[value="bicubic"]').uncheck();
  assert.ok(!(await label()).includes("Bicubic") && (await label()).includes("DFSQ-opt"));
  assert.equal(await byId(page, "export-png").textContent(), "PNG of DFSQ");
  await byId(page, "pane-method-dfsq").selectOption("dfsq@2");
  await state(page, "done");
  await page.waitForFunction(() => document.querySelector('[data-testid="export-png"]').textContent === "PNG of DFSQ W2A2");
  assert.match((await saved(page, "export-png")).name, /-dfsq-w2a2\.png$/);
  assert.deepEqual(page.complaints, []);
});
