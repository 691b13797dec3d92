// The page as a person uses it, in a real Chromium.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { another, byId, drop, file, open, painted, png, score, start, state, stop } from "./browser.js";

before(start);
after(stop);

const METHODS = ["fp32", "dfsq-opt", "dfsq", "min-max"];
const setBits = (page, group, bits) => byId(page, group).locator(`input[value="${bits}"]`).check({ force: true });

function commandLine(...options) {
  const samples = fileURLToPath(new URL("../../www/samples", import.meta.url));
  const network = fileURLToPath(new URL("../../onnx/edsr_x2.onnx", import.meta.url));
  const text = execFileSync(process.env.DFSQ, ["eval", network, "--hr", samples, "--json", ...options]);
  return JSON.parse(text);
}

test("a sample fills four panes and the figures, with the command line's scores", async () => {
  const page = await open();
  await byId(page, "sample-parrot").click();
  await state(page, "running");
  await state(page, "done");
  for (const method of [...METHODS, "bicubic"]) {
    const { images } = commandLine("--method", method, "--weight-bits", "4", "--activation-bits", "4");
    const { psnr_y, ssim_y } = images.find(({ name }) => name === "parrot");
    assert.ok(Math.abs((await score(page, `psnr-${method}`)) - psnr_y) < 0.01, `${method}: ${psnr_y}`);
    assert.ok(Math.abs((await score(page, `ssim-${method}`)) - ssim_y) < 0.0005, `${method}: ${ssim_y}`);
  }
  for (const method of METHODS) assert.ok(await painted(page, method), method);
  for (const figure of ["channels", "samples", "histogram", "layers", "universal-set"]) {
    await byId(page, `figure-${figure}`).locator("svg").waitFor();
  }
  await setBits(page, "weight-bits", 3);
  await state(page, "running");
  await state(page, "done");
  const [full, opt, dfsq, minMax] = await Promise.all(METHODS.map((method) => score(page, `psnr-${method}`)));
  assert.ok(full > opt && opt > dfsq && dfsq > minMax, `${full}, ${opt}, ${dfsq}, ${minMax}`);
  assert.deepEqual(page.complaints, []);
});

test("bits are switched live, and a setting seen before comes back from the cache", async () => {
  const page = await open();
  await drop(page, await png(page, 64, 64));
  await state(page, "done");
  const four = await score(page, "psnr-dfsq");
  const full = await score(page, "psnr-fp32");
  await setBits(page, "weight-bits", 2);
  assert.ok(await byId(page, "activation-bits").locator('input[value="2"]').isChecked(), "linked");
  await another(page, "psnr-dfsq", four);
  assert.equal(await score(page, "psnr-fp32"), full);
  const states = page.evaluate(() => {
    const seen = [];
    new MutationObserver(() => seen.push(document.querySelector("main").dataset.state)).observe(document.querySelector("main"), { attributeFilter: ["data-state"] });
    return new Promise((resolve) => setTimeout(() => resolve(seen), 700));
  });
  await setBits(page, "weight-bits", 4);
  assert.ok(!(await states).includes("running"), "nothing is computed again");
  assert.equal(await score(page, "psnr-dfsq"), four);
  await page.locator("#link-bits").uncheck();
  await setBits(page, "activation-bits", 32);
  assert.ok(await byId(page, "weight-bits").locator('input[value="4"]').isChecked(), "not linked");
  await state(page, "done");
  assert.deepEqual(page.complaints, []);
});

test("bits that nothing was optimized for are optimized in the tab, with progress and cancel", async () => {
  const page = await open("#weights=3&activations=2");
  await drop(page, await png(page, 48, 48));
  await byId(page, "status").filter({ hasText: "Optimizing the network for 3 / 2 bits" }).waitFor();
  await byId(page, "cancel").click();
  await state(page, "ready");
  assert.ok(await byId(page, "error").isHidden());
  // What was cancelled while it got its pictures ready does not go on by itself.
  await page.waitForTimeout(3000);
  assert.equal(await byId(page, "status").textContent(), "Ready to run.");
  assert.equal(await byId(page, "psnr-dfsq-opt").textContent(), "–");
  await byId(page, "run").click();
  await state(page, "running");
  await state(page, "done");
  const [opt, minMax] = [await score(page, "psnr-dfsq-opt"), await score(page, "psnr-min-max")];
  assert.ok(opt > minMax + 5, `${opt} against ${minMax}`);
  assert.deepEqual(page.complaints, []);
});

test("the four networks are offered with size and score, and the picture stays as it is", async () => {
  const page = await open();
  const offered = await byId(page, "model-select").locator("option").allTextContents();
  assert.equal(offered.length, 4);
  for (const text of offered) assert.match(text, /^(EDSR|RDN) ×[24] \(\d\.\d MB, 3\d\.\d\d dB on Set5\)$/);
  await drop(page, await png(page, 64, 64));
  await state(page, "done");
  await page.locator("#zoom-in").click();
  const zoom = await page.locator("#zoom-level").textContent();
  await byId(page, "model-select").selectOption("edsr_x4");
  await page.locator("#network-note").filter({ hasText: "Enlarges 4×" }).waitFor();
  await state(page, "done");
  assert.equal(await page.locator("#zoom-level").textContent(), zoom);
  assert.ok(await byId(page, "weight-bits").locator('input[value="4"]').isChecked());
  assert.equal(await byId(page, "sample-select").locator("option:checked").textContent(), "waves-64x64.png");
});

test("32 bits are full precision", async () => {
  const page = await open("#weights=32&activations=32");
  await drop(page, await png(page, 48, 48));
  await state(page, "done");
  const full = await score(page, "psnr-fp32");
  assert.equal(await score(page, "psnr-dfsq"), full);
  assert.equal(await score(page, "psnr-min-max"), full);
});

test("a run is cancelled and can be started again", async () => {
  const page = await open();
  await byId(page, "sample-lighthouse").click();
  await state(page, "running");
  await byId(page, "cancel").click();
  await state(page, "ready");
  const scores = await Promise.all(METHODS.map((method) => byId(page, `psnr-${method}`).textContent()));
  assert.ok(scores.includes("–"), `${scores}`);
  assert.ok(await byId(page, "cancel").isDisabled());
  await byId(page, "run").click();
  await state(page, "done");
  assert.ok((await score(page, "psnr-dfsq")) > 20);
  assert.ok(await byId(page, "error").isHidden());
});

test("a second image becomes a second sample, and the first is still there", async () => {
  const page = await open();
  await drop(page, await png(page, 64, 48), await png(page, 48, 64));
  await state(page, "done");
  const samples = byId(page, "sample-select");
  assert.deepEqual(await samples.locator("option").allTextContents(), ["waves-64x48.png", "waves-48x64.png"]);
  assert.equal(await samples.inputValue(), "1");
  await page.waitForFunction(() => document.querySelectorAll('[data-testid="figure-samples"] text').length > 0 && document.querySelector('[data-testid="figure-samples"]').textContent.includes("waves-64"));
  const second = await score(page, "psnr-fp32");
  await samples.selectOption("0");
  await byId(page, "status").filter({ hasText: "Done: waves-64x48.png" }).waitFor();
  assert.notEqual(await score(page, "psnr-fp32"), second);
});

test("what is no image is refused in words, and what was there stays", async () => {
  const page = await open();
  const good = await png(page, 48, 48);
  await drop(page, good);
  await state(page, "done");
  const before = await score(page, "psnr-dfsq");
  const bad = [
    { name: "notes.txt", type: "text/plain", bytes: Buffer.from("not an image") },
    { name: "half.png", type: "image/png", bytes: good.bytes.subarray(0, good.bytes.length / 2) },
    { name: "empty.jpg", type: "image/jpeg", bytes: Buffer.alloc(0) },
    { name: "broken.onnx", type: "", bytes: Buffer.from("not a network") },
    { name: "other.calibration", type: "", bytes: Buffer.from("not a calibration") },
  ];
  for (const item of bad) {
    await drop(page, item);
    await byId(page, "error").filter({ hasText: item.name }).waitFor();
    await byId(page, "error").locator("button").click();
    assert.equal(await score(page, "psnr-dfsq"), before, item.name);
  }
  await drop(page, await png(page, 40, 40), bad[0], bad[3]);
  await byId(page, "error").filter({ hasText: "notes.txt" }).waitFor();
  await state(page, "error");
  await byId(page, "error").locator("button").click();
  await state(page, "done");
  assert.notEqual(await score(page, "psnr-dfsq"), before);
  assert.deepEqual(page.complaints, []);
});

test("everything is reached with the keyboard alone", async () => {
  const page = await open();
  const focus = async (id) => {
    for (let i = 0; i < 40; i++) {
      await page.keyboard.press("Tab");
      if (await page.evaluate((wanted) => document.activeElement?.closest(`[data-testid="${wanted}"]`) !== null, id)) return;
    }
    assert.fail(`${id} is not reached`);
  };
  await focus("sample-parrot");
  await page.keyboard.press("Enter");
  await state(page, "running");
  await focus("cancel");
  await page.keyboard.press("Enter");
  await state(page, "ready");
  await focus("weight-bits");
  await page.keyboard.press("ArrowRight");
  assert.ok(await byId(page, "weight-bits").locator('input[value="3"]').isChecked());
  await page.locator("[name=view][value=slider]").focus();
  await page.keyboard.press("Space");
  await page.locator(".divider").focus();
  await page.keyboard.press("ArrowLeft");
  assert.equal(await page.locator(".divider").getAttribute("aria-valuenow"), "48");
});

test("a large image gets a region that can be moved, and the whole is offered", async () => {
  const page = await open();
  await drop(page, await png(page, 1600, 1200));
  await state(page, "running");
  await byId(page, "cancel").click();
  await state(page, "ready");
  const options = await page.locator("#region-size option").allTextContents();
  assert.match(options.at(-1), /^whole image, (about|too large)/);
  assert.notEqual(await page.locator("#region-size").inputValue(), "whole");
  await page.locator("#region-size").selectOption("128");
  await state(page, "done");
  const before = await score(page, "psnr-fp32");
  await page.locator("crop-picker div").focus();
  await page.keyboard.press("ArrowLeft");
  await state(page, "running");
  await state(page, "done");
  assert.notEqual(await score(page, "psnr-fp32"), before);
});

test("a foreign network is understood, calibrated on the image, and said to be so", async () => {
  const page = await open();
  await drop(page, await png(page, 64, 64));
  await state(page, "done");
  const bundled = await score(page, "psnr-dfsq");
  // Another metadata property at the end of the file makes it a network that nobody has listed.
  const property = Buffer.concat([Buffer.from([0x0a, 4]), Buffer.from("name"), Buffer.from([0x12, 7]), Buffer.from("Foreign")]);
  const bytes = Buffer.concat([await file("onnx/edsr_x2.onnx"), Buffer.from([0x72, property.length]), property]);
  await drop(page, { name: "foreign.onnx", type: "", bytes });
  await page.locator("#network-note").filter({ hasText: "chosen on the dropped image" }).waitFor();
  await state(page, "done");
  assert.equal(await byId(page, "model-select").locator("option:checked").textContent(), "Foreign");
  const own = await score(page, "psnr-dfsq");
  assert.ok(own > bundled - 1 && own !== bundled, `${own} against ${bundled}`);
  const minMax = await score(page, "psnr-min-max");
  await byId(page, "calibrate-patches").click();
  await page.locator("#network-note").filter({ hasText: "patches of the bundled samples" }).waitFor();
  await state(page, "done");
  assert.notEqual(await score(page, "psnr-dfsq"), own);
  assert.equal(await score(page, "psnr-min-max"), minMax);
  await byId(page, "model-select").selectOption("rdn_x2");
  await page.locator("#network-note").filter({ hasText: "dense blocks" }).waitFor();
  await state(page, "done");
  assert.deepEqual(page.complaints, []);
});

test("a network is downloaded once, and a damaged one is refused", async () => {
  const page = await open();
  const context = page.context();
  const asked = [];
  context.on("request", (request) => request.url().includes(".onnx") && asked.push(request.url()));
  await page.reload();
  await state(page, "ready");
  assert.deepEqual(asked, [], "it is kept");
  await context.route("**/rdn_x2.onnx", async (route) => {
    const response = await route.fetch();
    const body = await response.body();
    body[body.length - 1000] ^= 1;
    await route.fulfill({ response, body });
  });
  await byId(page, "model-select").selectOption("rdn_x2");
  await byId(page, "error").filter({ hasText: "not the one that is listed" }).waitFor();
  assert.equal(await byId(page, "model-select").inputValue(), "edsr_x2");
  await context.unroute("**/rdn_x2.onnx");
  await byId(page, "model-select").selectOption("rdn_x2");
  await page.locator("#network-note").filter({ hasText: "dense blocks" }).waitFor();
});

test("bits changed while another network loads and runs end in the right result", async () => {
  const page = await open();
  const image = await png(page, 64, 64);
  await drop(page, image);
  await state(page, "done");
  await byId(page, "model-select").selectOption("rdn_x2");
  for (const bits of [8, 2, 3]) await setBits(page, "weight-bits", bits);
  await page.locator("#network-note").filter({ hasText: "dense blocks" }).waitFor();
  await state(page, "running");
  await setBits(page, "weight-bits", 6);
  await setBits(page, "weight-bits", 3);
  await state(page, "done");
  const fresh = await open("#network=rdn_x2&weights=3&activations=3");
  await drop(fresh, image);
  await state(fresh, "done");
  for (const method of METHODS) assert.equal(await score(page, `psnr-${method}`), await score(fresh, `psnr-${method}`), method);
  assert.deepEqual(page.complaints, []);
});

test("points are chosen on the open images, saved, and taken back", async () => {
  const page = await open();
  await drop(page, await png(page, 64, 64));
  await state(page, "done");
  const bundled = await score(page, "psnr-dfsq");
  await byId(page, "calibrate").click();
  await page.locator("#network-note").filter({ hasText: "chosen on your images" }).waitFor();
  await state(page, "done");
  const own = await score(page, "psnr-dfsq");
  assert.ok(own !== bundled && own > bundled - 0.5, `${own} against ${bundled}`);
  const [download] = await Promise.all([page.waitForEvent("download"), byId(page, "save-calibration").click()]);
  const chunks = [];
  for await (const chunk of await download.createReadStream()) chunks.push(chunk);
  await byId(page, "use-shipped").click();
  assert.equal(await another(page, "psnr-dfsq", own), bundled);
  assert.ok(await byId(page, "use-shipped").isHidden());
  const again = await open();
  await drop(again, await png(again, 64, 64), { name: "edsr_x2.calibration", type: "", bytes: Buffer.concat(chunks) });
  await state(again, "done");
  assert.equal(await score(again, "psnr-dfsq"), own);
  assert.deepEqual(page.complaints, []);
});

test("every part of the method can be chosen, and the published choice comes back at once", async () => {
  const page = await open();
  await drop(page, await png(page, 48, 48));
  await state(page, "done");
  const published = await score(page, "psnr-dfsq");
  await page.locator("#details summary").click();
  const choose = async (name, value, before) => {
    await byId(page, `choice-${name}`).selectOption(value);
    return another(page, "psnr-dfsq", before);
  };
  const exact = await choose("selection", "exact", published);
  await page.locator("#network-note").filter({ hasText: "patches of the bundled samples" }).waitFor();
  const subset = await choose("grid", "subset", exact);
  await choose("denormalization", "4", subset);
  assert.match(await page.locator("#details summary").textContent(), /3 changed/);
  await byId(page, "share-link").click();
  assert.match(page.url(), /selection=exact&grid=subset&denormalization=4/);
  await byId(page, "reset-choices").click();
  await page.waitForFunction((wanted) => document.querySelector('[data-testid="psnr-dfsq"]').textContent === wanted, published.toFixed(3));
  const tooMany = page.locator("#error").filter({ hasText: "ways to choose" });
  await byId(page, "choice-selection").selectOption("exhaustive");
  await tooMany.waitFor();
  await byId(page, "reset-choices").click();
  await state(page, "done");
  assert.deepEqual(page.complaints, []);
});

test("the parts of DFSQ-opt are optimized in the tab and kept", async () => {
  const page = await open("#weights=2&activations=2&rounding=nearest");
  await drop(page, await png(page, 48, 48));
  await state(page, "done");
  const nearest = await score(page, "psnr-dfsq-opt");
  await page.locator("#details summary").click();
  assert.equal(await byId(page, "choice-rounding").inputValue(), "nearest");
  await byId(page, "choice-rounding").selectOption("compensated");
  // The shipped weights.
  await another(page, "psnr-dfsq-opt", nearest);
  await byId(page, "choice-rounding").selectOption("nearest");
  await page.waitForFunction((wanted) => document.querySelector('[data-testid="psnr-dfsq-opt"]').textContent === wanted, nearest.toFixed(3));
  const [download] = await Promise.all([page.waitForEvent("download"), byId(page, "save-optimized").click()]);
  const chunks = [];
  for await (const chunk of await download.createReadStream()) chunks.push(chunk);
  const again = await open("#weights=2&activations=2");
  await drop(again, await png(again, 48, 48), { name: "edsr_x2.optimized", type: "", bytes: Buffer.concat(chunks) });
  await state(again, "done");
  assert.equal(await score(again, "psnr-dfsq-opt"), nearest);
  await byId(again, "choice-sets").selectOption("3", { force: true });
  await drop(again, { name: "edsr_x2.optimized", type: "", bytes: Buffer.concat(chunks) });
  await byId(again, "error").filter({ hasText: "made with other settings" }).waitFor();
});

test("layers get bits of their own, by hand and under a budget", async () => {
  const page = await open();
  await drop(page, await png(page, 48, 48));
  await state(page, "done");
  await page.locator("#layer-bits summary").click();
  const rows = byId(page, "layer-bits").locator("tbody tr");
  assert.equal(await rows.count(), 32);
  const before = await score(page, "psnr-dfsq");
  await rows.first().locator("select").nth(1).selectOption("2");
  await state(page, "running");
  await byId(page, "cancel").click();
  assert.match(await page.locator("#scores [data-method=dfsq] td").first().textContent(), /mixed/);
  await byId(page, "reset-layers").click();
  await state(page, "done");
  assert.equal(await score(page, "psnr-dfsq"), before);
  await byId(page, "measure-layers").click();
  await byId(page, "status").filter({ hasText: "Measuring" }).waitFor();
  await page.waitForFunction(() => !document.querySelector('[data-testid="assign-bits"]').disabled, null, { timeout: 120_000 });
  const measured = await rows.first().locator("td").allTextContents();
  const decibels = measured.slice(2).map(Number);
  assert.ok(decibels.every((value, i) => i === 0 || value > decibels[i - 1]), `${decibels}`);
  await byId(page, "average-bits").fill("1");
  await byId(page, "assign-bits").click();
  await byId(page, "error").filter({ hasText: "no width is as low" }).waitFor();
  await byId(page, "average-bits").fill("3.5");
  await byId(page, "assign-bits").click();
  await state(page, "running");
  await state(page, "done");
  const average = Number(/([\d.]+) bits on average/.exec(await page.locator("#layer-bits summary").textContent())?.[1]);
  assert.ok(average > 3.3 && average <= 3.5, `${average}`);
  assert.ok((await score(page, "psnr-dfsq")) > 20 && (await score(page, "psnr-dfsq-opt")) > 20);
  assert.deepEqual(page.complaints, []);
});

test("costs and the ways of choosing points are shown", async () => {
  const page = await open("#weights=2&activations=2&sets=2");
  await drop(page, await png(page, 48, 48));
  await state(page, "done");
  await page.locator("#costs-panel summary").click();
  const cost = async (id) => (await byId(page, id).textContent()) ?? "";
  assert.equal(await cost("bit-ops-fp32"), "1405.6");
  assert.match(await cost("macs-dfsq"), /0\.19 M of 32 × 32 bits\n1\.18 M of 2 × 2 bits/);
  assert.match(await cost("product-dfsq-opt"), /shifts, .* additions/);
  assert.equal(await cost("product-min-max"), "a multiplication");
  await byId(page, "study").click();
  await byId(page, "study-table").waitFor();
  assert.match((await byId(page, "study-table").locator("caption").textContent()) ?? "", /body\.0\.conv1, channel 0.*: 4 of 29 values, 23,751 subsets/);
  const db = (await byId(page, "study-table").locator("td:nth-child(3)").allTextContents()).map(Number);
  assert.equal(db.length, 4);
  assert.ok(db[0] <= db[1] && db[1] === db[2] && db[2] <= db[3], `${db}`);
  await byId(page, "channel-select").selectOption("1");
  // It spoke of another channel.
  await byId(page, "study-table").waitFor({ state: "hidden" });
  assert.deepEqual(page.complaints, []);
});

test("upscale mode enlarges the image itself and scores against full precision", async () => {
  const page = await open("#mode=upscale&view=slider&left=bicubic&right=fp32");
  await drop(page, await png(page, 40, 32));
  await state(page, "done");
  assert.match(await page.locator("#scores-caption").textContent(), /against the full-precision output/);
  assert.deepEqual(await byId(page, "canvas-fp32").evaluate((c) => [c.width, c.height]), [80, 64]);
  assert.equal(await byId(page, "psnr-fp32").textContent(), "–");
  assert.ok((await score(page, "psnr-dfsq")) > 20);
  assert.deepEqual(await page.locator(".pane.shown").evaluateAll((panes) => panes.map((p) => p.dataset.method).sort()), ["bicubic", "fp32"]);
});

test("results are exported", async () => {
  const page = await open("#view=pair&left=bicubic&right=min-max");
  await drop(page, await png(page, 64, 48));
  await state(page, "done");
  await byId(page, "figure-layers").locator("svg").waitFor();
  const save = async (id) => {
    const [download] = await Promise.all([page.waitForEvent("download"), byId(page, id).click()]);
    const chunks = [];
    for await (const chunk of await download.createReadStream()) chunks.push(chunk);
    return { name: download.suggestedFilename(), bytes: Buffer.concat(chunks) };
  };
  const picture = await save("export-png");
  assert.equal(picture.name, "waves-64x48-min-max.png");
  assert.deepEqual([picture.bytes.readUInt32BE(16), picture.bytes.readUInt32BE(20)], [64, 48]);
  const lines = String((await save("export-csv")).bytes).trim().split("\r\n");
  assert.equal(lines.length, 6);
  assert.ok(lines.some((line) => line.includes("dfsq,4,4,")));
  const report = JSON.parse(String((await save("export-json")).bytes));
  assert.equal(report.channels.length, 64);
  assert.equal(report.results.length, 5);
  assert.match(String((await save("export-svg")).bytes), /^<svg[^>]*>\n<svg y="0"/);
  await byId(page, "share-link").click();
  assert.match(page.url(), /#network=edsr_x2&weights=4&activations=4.*view=pair&left=bicubic&right=min-max/);
});
