// Points, weights and bits, chosen in the tab, in a real Chromium.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { another, byId, drop, open, openDrawer, png, saved, score, setBits, start, state, stop } from "./browser.js";

before(start);
after(stop);

test("bits that nothing was optimized for are optimized in the tab, with progress and cancel", async () => {
  const page = await open("#weights=3&activations=2");
  await drop(page, await png(page, 48, 48));
  await byId(page, "status").filter({ hasText: "Optimizing the network for 3 / 2 bits" }).waitFor();
  await byId(page, "cancel").click();
  await state(page, "ready");
  assert.ok(await byId(page, "error").isHidden());
  assert.equal(await byId(page, "status").textContent(), "Ready to run.");
  assert.equal(await byId(page, "psnr-dfsq-opt").textContent(), "–");
  await byId(page, "run").click();
  await state(page, "done");
  const [opt, minMax] = [await score(page, "full-dfsq-opt"), await score(page, "full-min-max")];
  assert.ok(opt > minMax + 5, `${opt} against ${minMax} dB to full precision`);
  assert.deepEqual(page.complaints, []);
});

test("points are chosen on the open images, saved, and taken back", async () => {
  const page = await open();
  await drop(page, await png(page, 64, 64));
  await state(page, "done");
  const bundled = await score(page, "psnr-dfsq");
  await openDrawer(page);
  await byId(page, "calibrate").click();
  await page.locator("#network-note").filter({ hasText: "chosen on your images" }).waitFor();
  await state(page, "done");
  const own = await score(page, "psnr-dfsq");
  assert.ok(own !== bundled && own > bundled - 0.5, `${own} against ${bundled}`);
  const { bytes } = await saved(page, "save-calibration");
  await byId(page, "use-shipped").click();
  assert.equal(await another(page, "psnr-dfsq", own), bundled);
  assert.ok(await byId(page, "use-shipped").isHidden());
  const again = await open();
  await drop(again, await png(again, 64, 64), { name: "edsr_x2.calibration", type: "", bytes });
  await state(again, "done");
  assert.equal(await score(again, "psnr-dfsq"), own);
  assert.deepEqual(page.complaints, []);
});

test("every part of the method can be chosen, and the published choice comes back at once", async () => {
  const page = await open();
  await drop(page, await png(page, 48, 48));
  await state(page, "done");
  const published = await score(page, "psnr-dfsq");
  await openDrawer(page);
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
  await openDrawer(page);
  await page.locator("#details summary").click();
  assert.equal(await byId(page, "choice-rounding").inputValue(), "nearest");
  await byId(page, "choice-rounding").selectOption("compensated");
  // The shipped weights.
  await another(page, "psnr-dfsq-opt", nearest);
  await byId(page, "choice-rounding").selectOption("nearest");
  await page.waitForFunction((wanted) => document.querySelector('[data-testid="psnr-dfsq-opt"]').textContent === wanted, nearest.toFixed(3));
  const { bytes } = await saved(page, "save-optimized");
  const again = await open("#weights=2&activations=2");
  await drop(again, await png(again, 48, 48), { name: "edsr_x2.optimized", type: "", bytes });
  await state(again, "done");
  assert.equal(await score(again, "psnr-dfsq-opt"), nearest);
  await byId(again, "choice-sets").selectOption("3", { force: true });
  await drop(again, { name: "edsr_x2.optimized", type: "", bytes });
  await byId(again, "error").filter({ hasText: "made with other settings" }).waitFor();
});

test("layers get bits of their own, by hand and under a budget", async () => {
  const page = await open();
  await drop(page, await png(page, 48, 48));
  await state(page, "done");
  await openDrawer(page);
  await page.locator("#layer-bits summary").click();
  const rows = byId(page, "layer-bits").locator("tbody tr");
  await rows.first().waitFor(); // Drawn once the browser says that the list is open.
  assert.equal(await rows.count(), 32);
  const before = await score(page, "psnr-dfsq");
  await rows.first().locator("select").nth(1).selectOption("2");
  await byId(page, "cancel").click();
  assert.match(await page.locator("#scores [data-method=dfsq] td").first().textContent(), /mixed/);
  await byId(page, "reset-layers").click();
  await state(page, "done");
  assert.equal(await score(page, "psnr-dfsq"), before);
  await byId(page, "measured-method").selectOption("dfsq");
  await byId(page, "measure-layers").click();
  await byId(page, "status").filter({ hasText: "Measuring" }).waitFor();
  await page.waitForFunction(() => !document.querySelector('[data-testid="assign-bits"]').disabled, null, { timeout: 120_000 });
  const measured = (await rows.first().locator("td").allTextContents()).slice(2).map((cell) => cell.split("\n").map(Number));
  for (const operand of [0, 1]) {
    assert.ok(measured.every((cell, i) => i === 0 || cell[operand] > measured[i - 1][operand]), `${measured}`);
  }
  await byId(page, "average-bits").fill("1");
  await byId(page, "assign-bits").click();
  await byId(page, "error").filter({ hasText: "no width is as low" }).waitFor();
  await byId(page, "average-bits").fill("3.5");
  await byId(page, "assign-bits").click();
  await another(page, "psnr-dfsq", before);
  const averages = async () => {
    const text = await page.locator("#layer-bits summary").textContent();
    const found = /32 set, on average ([\d.]+) of weights, ([\d.]+) of activations, BitOPs of ([\d.]+)/.exec(text);
    assert.ok(found, text);
    return found.slice(1).map(Number);
  };
  const [weights, activations] = await averages();
  assert.ok(weights > 3.3 && weights <= 3.5 && activations > 3.3 && activations <= 3.5, `${weights} ${activations}`);
  await byId(page, "assigned-budget").selectOption("bit-ops");
  const dfsq = await score(page, "psnr-dfsq");
  await byId(page, "assign-bits").click();
  await another(page, "psnr-dfsq", dfsq);
  const [, , products] = await averages();
  assert.ok(products > 3.3 && products <= 3.5, `${products}`);
  assert.ok((await score(page, "psnr-dfsq")) > 20 && (await score(page, "psnr-dfsq-opt")) > 20);
  assert.deepEqual(page.complaints, []);
});

test("one click puts the bits where they help, and they follow the width and the network", async () => {
  const page = await open();
  await drop(page, await png(page, 48, 48));
  await state(page, "done");
  const before = await score(page, "psnr-dfsq-opt");
  const mixed = byId(page, "mixed-bits");
  await mixed.check();
  await another(page, "psnr-dfsq-opt", before);
  assert.match(await page.locator("#scores [data-method=dfsq-opt] td").first().textContent(), /mixed/);
  const bitOps = async () => Number(/BitOPs of ([\d.]+)/.exec(await byId(page, "average-bits-dfsq-opt").textContent())?.[1]);
  assert.ok((await bitOps()) > 3.5 && (await bitOps()) <= 4, `${await bitOps()}`);
  await setBits(page, "weight-bits", 3);
  await state(page, "done");
  assert.ok(await mixed.isChecked());
  assert.ok((await bitOps()) > 2.5 && (await bitOps()) <= 3, `${await bitOps()}`);
  // There are none for 6 bits.
  await setBits(page, "weight-bits", 6);
  await state(page, "done");
  assert.ok(!(await mixed.isChecked()) && (await mixed.isDisabled()));
  await setBits(page, "weight-bits", 4);
  await state(page, "done");
  assert.equal(await score(page, "psnr-dfsq-opt"), before);
  await mixed.check();
  await state(page, "done");
  await byId(page, "model-select").selectOption("rdn_x2");
  await page.waitForFunction(() => document.querySelector("#scores [data-method=dfsq-opt] td")?.textContent.includes("mixed") && document.querySelector("main").dataset.state === "done", null, { timeout: 60_000 });
  assert.ok(await mixed.isChecked());
  assert.deepEqual(page.complaints, []);
});

test("costs and the ways of choosing points are shown", async () => {
  const page = await open("#weights=2&activations=2&sets=2");
  await drop(page, await png(page, 48, 48));
  await state(page, "done");
  await openDrawer(page);
  await page.locator("#costs-panel summary").click();
  const cost = async (id) => (await byId(page, id).textContent()) ?? "";
  assert.equal(await cost("bit-ops-fp32"), "1405.6");
  assert.match(await cost("macs-dfsq"), /0\.19 M of 32 × 32 bits\n1\.18 M of 2 × 2 bits/);
  assert.match(await cost("product-dfsq-opt"), /shifts, .* additions/);
  assert.equal(await cost("product-min-max"), "a multiplication");
  await page.keyboard.press("Escape");
  await byId(page, "study").click();
  await byId(page, "study-table").waitFor();
  await byId(page, "figure-universal-set").filter({ hasText: /k-means for this picture: 4 centres, \d merged/ }).waitFor();
  assert.match((await byId(page, "study-table").locator("caption").textContent()) ?? "", /body\.0\.conv1, channel 0.*: 4 of 29 values, 23,751 subsets/);
  const db = (await byId(page, "study-table").locator("td:nth-child(3)").allTextContents()).map(Number);
  // Three ways to choose, the two formats that have 2 bits, and the bound of all.
  assert.equal(db.length, 6);
  const [kmeans, exact, exhaustive, ...formats] = db;
  const bound = formats.pop();
  assert.ok(kmeans <= exact && exact === exhaustive && [exhaustive, ...formats].every((one) => one <= bound), `${db}`);
  await byId(page, "channel-select").selectOption("1");
  // It spoke of another channel.
  await byId(page, "study-table").waitFor({ state: "hidden" });
  assert.deepEqual(page.complaints, []);
});

test("a quantized network is exported as ONNX, and opens here again with its weights as they were written", async () => {
  const page = await open("#weights=4&activations=32");
  await drop(page, await png(page, 48, 48));
  await state(page, "done");
  const wanted = await score(page, "full-dfsq");
  await byId(page, "export-method").selectOption("dfsq");
  const { name, bytes } = await saved(page, "export-onnx");
  assert.equal(name, "edsr_x2-dfsq-w4a32.onnx");
  await setBits(page, "activation-bits", 4);
  await state(page, "done");
  const quantized = await saved(page, "export-onnx");
  assert.ok(quantized.bytes.includes("SubsetQuantize16") && !bytes.includes("SubsetQuantize16"));
  // Codes of four bits: less than a third of the file that it came from.
  assert.ok(bytes.length < 2_000_000, `${bytes.length} bytes`);
  const again = await open();
  await drop(again, await png(again, 48, 48), { name, type: "", bytes });
  await state(again, "done");
  assert.match(await byId(again, "network-note").textContent(), /exported by dfsq .* with dfsq/);
  assert.ok(wanted > 20);

  await byId(page, "export-method").selectOption("integers");
  const integers = await saved(page, "export-onnx");
  assert.equal(integers.name, "edsr_x2-integers-w4a8.onnx");
  const count = (/** @type {string} */ word) => String(integers.bytes).split(word).length - 1;
  assert.equal(count("QuantizeLinear"), 48, "in front of 32 convolutions, and behind the 16 that no other follows");
  const whole = await open();
  await drop(whole, { name: integers.name, type: "", bytes: integers.bytes });
  await whole.waitForFunction(() => /exported by dfsq/.test(document.querySelector('[data-testid="network-note"]')?.textContent ?? ""));
  assert.match(await byId(whole, "network-note").textContent(), /with min-max/);
  assert.deepEqual(whole.complaints, []);
  assert.deepEqual([...page.complaints, ...again.complaints], []);
});
