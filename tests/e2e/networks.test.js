// Bundled and foreign networks, in a real Chromium.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { METHODS, another, byId, drop, file, open, openDrawer, optimizedLayers, png, saved, score, setBits, start, state, stop } from "./browser.js";
import { edsr, edsrInTwo, squashed, unstated } from "./onnx.js";

before(start);
after(stop);

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

test("?engine=tract runs networks on tract, says so, and scores the same", async () => {
  const scores = [];
  for (const query of ["", "?engine=tract"]) {
    const page = await open(query);
    await drop(page, await png(page, 64, 64));
    await state(page, "done");
    const note = await page.locator("#network-note").textContent();
    assert.equal(/Run by tract/.test(note ?? ""), query !== "");
    scores.push([await score(page, "psnr-fp32"), await score(page, "psnr-dfsq")]);
    assert.deepEqual(page.complaints, []);
  }
  const [[own, ownDfsq], [tract, tractDfsq]] = scores;
  assert.ok(Math.abs(own - tract) < 0.005 && Math.abs(ownDfsq - tractDfsq) < 0.1, JSON.stringify(scores));
});

test("all layers can be quantized, tract can be chosen, and both engines are compared on the picture", async () => {
  const page = await open();
  await drop(page, await png(page, 48, 48));
  await state(page, "done");
  const [full, dfsq] = [await score(page, "psnr-fp32"), await score(page, "psnr-dfsq")];
  await openDrawer(page);
  await byId(page, "details").locator("summary").click();
  await byId(page, "choice-scope").selectOption("all");
  const ofAll = await another(page, "psnr-dfsq", dfsq);
  assert.equal(await score(page, "psnr-fp32"), full);
  const note = page.locator("#network-note");
  assert.match(await note.textContent(), /Quantized: 36 of 36 convolutions \(100 % of their multiply-accumulates\): all, 8 bits for the first and the last\./);
  assert.match(await note.textContent(), /Its points are chosen on patches of the bundled samples\./);
  await byId(page, "layer-bits").locator("summary").click();
  const selects = byId(page, "layer-bits").locator("tbody tr select");
  await selects.first().waitFor(); // Drawn once the browser says that the list is open.
  const bits = await selects.evaluateAll((all) => all.map(({ value }) => value));
  assert.deepEqual([bits.slice(0, 4), bits.slice(-2)], [["8", "8", "4", "4"], ["8", "8"]]);
  await byId(page, "choice-scope").selectOption("paper");
  assert.equal(await another(page, "psnr-dfsq", ofAll), dfsq);
  assert.match(await note.textContent(), /Quantized: 32 of 36 convolutions .*: those of the residual blocks\./);
  await byId(page, "check-engines").click();
  const check = byId(page, "engine-check").filter({ hasText: "took" });
  await check.waitFor();
  const [, db, levels] = (await check.textContent())?.match(/^(\d+) dB apart, (every pixel alike|at most 1 of 255 in a pixel)\. Full precision took \d+\.\d\d s by our own engine, \d+\.\d\d s by tract\.$/) ?? [];
  assert.ok(Number(db) >= 100 && levels, await check.textContent());
  await state(page, "done");
  await byId(page, "choice-engine").selectOption("tract");
  await note.filter({ hasText: "Run by tract, as chosen" }).waitFor();
  await state(page, "done");
  assert.ok(Math.abs((await score(page, "psnr-fp32")) - full) < 0.005);
  assert.match(await page.evaluate(() => localStorage.getItem("dfsq") ?? ""), /engine=tract/);
  assert.deepEqual(page.complaints, []);
});

test("a network that our engine lacks an operator for is run by the program with tract, which is fetched only then", async () => {
  const page = await open();
  const fetched = [];
  page.on("request", (request) => fetched.push(request.url().split("/").at(-1)));
  await drop(page, { name: "squashed.onnx", type: "", bytes: squashed() });
  await page.locator("#network-note").filter({ hasText: "the native engine lacks Elu" }).waitFor();
  assert.ok(fetched.some((name) => /^dfsq-tract-[0-9a-f]+\.wasm$/.test(name)), fetched.join());
  await drop(page, await png(page, 48, 48));
  await state(page, "done");
  assert.ok((await score(page, "psnr-fp32")) > 3);
  const before = await score(page, "psnr-fp32");
  await byId(page, "model-select").selectOption("edsr_x2");
  await another(page, "psnr-fp32", before);
  await state(page, "done");
  assert.ok(await byId(page, "error").isHidden());
  assert.deepEqual(page.complaints, []);
});

test("value ranges that nothing tells are asked for, and no picture is made before", async () => {
  const page = await open();
  await drop(page, { name: "unstated.onnx", type: "", bytes: unstated() });
  const note = page.locator("#network-note");
  await note.filter({ hasText: "No picture can be made yet: its output does not look like its input" }).waitFor();
  const input = byId(page, "input-range");
  assert.ok(await input.isVisible());
  assert.deepEqual(await input.locator("option").allTextContents(), ["0 to 1", "0 to 255", "−1 to 1", "0 to 1, less 0.485,0.456,0.406, over 0.229,0.224,0.225"]);
  await drop(page, await png(page, 48, 48));
  await state(page, "error");
  assert.match((await byId(page, "error").textContent()) ?? "", /state input_range and output_range/);
  await input.selectOption("−1 to 1");
  await state(page, "done");
  await note.filter({ hasText: /^(?!.*No picture).*Enlarges 1×/ }).waitFor();
  assert.equal(await input.locator("option:checked").textContent(), "−1 to 1");
  const signed = await score(page, "psnr-fp32");
  await input.selectOption("0 to 255");
  await another(page, "psnr-fp32", signed);
  await state(page, "done");
  assert.deepEqual(page.complaints, []);
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
  await openDrawer(page);
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

test("weights in a second file are taken with the network, and asked for without", async () => {
  const page = await open();
  const { network, weights } = edsrInTwo(1, 8, "weights/edsr.data");
  const [first, second] = [{ name: "edsr.onnx", type: "", bytes: network }, { name: "edsr.data", type: "", bytes: weights }];
  await drop(page, first);
  await byId(page, "error").filter({ hasText: "weights/edsr.data: open both together" }).waitFor();
  await drop(page, second, first, await png(page, 48, 48));
  await page.locator("#network-note").filter({ hasText: "2 of 6 convolutions" }).waitFor();
  await state(page, "done");
  assert.ok(await byId(page, "error").isHidden());
  const inTwo = await score(page, "psnr-fp32");
  // The same network in one file.
  const fresh = await open();
  await drop(fresh, { name: "whole.onnx", type: "", bytes: edsr(1, 8) }, await png(fresh, 48, 48));
  await fresh.locator("#network-note").filter({ hasText: "2 of 6 convolutions" }).waitFor();
  await state(fresh, "done");
  assert.equal(await score(fresh, "psnr-fp32"), inTwo);
});

test("bits changed while another network loads and runs end in the right result", async () => {
  const page = await open();
  const image = await png(page, 64, 64);
  await drop(page, image);
  await state(page, "done");
  await byId(page, "model-select").selectOption("rdn_x2");
  for (const bits of [8, 2, 3]) await setBits(page, "weight-bits", bits);
  await page.locator("#network-note").filter({ hasText: "dense blocks" }).waitFor();
  await setBits(page, "weight-bits", 6);
  await setBits(page, "weight-bits", 3);
  await state(page, "done");
  const fresh = await open("#network=rdn_x2&weights=3&activations=3");
  await drop(fresh, image);
  await state(fresh, "done");
  // It may have been done before what was wanted last was noticed.
  await state(page, "done");
  for (const method of METHODS) assert.equal(await score(page, `psnr-${method}`), await score(fresh, `psnr-${method}`), method);
  assert.deepEqual(page.complaints, []);
});

test("optimized layers of one file are not shown for those of another that was made by the same recipe", async () => {
  const [first, second] = [1, 2].map((crops) => ({ name: `${crops}.optimized`, type: "", bytes: optimizedLayers("--crops", String(crops), "--bits", "2") }));
  const fresh = await open("#weights=2&activations=2");
  const image = await png(fresh, 48, 48);
  await drop(fresh, image, second);
  await state(fresh, "done");
  const page = await open("#weights=2&activations=2");
  await drop(page, image, first);
  await state(page, "done");
  const shown = await score(page, "psnr-dfsq-opt");
  for (const network of ["rdn_x2", "edsr_x2"]) {
    await byId(page, "model-select").selectOption(network);
    await page.locator("#network-note").filter({ hasText: network === "rdn_x2" ? "dense blocks" : "those of the residual blocks" }).waitFor();
    await state(page, "done");
  }
  const bundled = await score(page, "psnr-dfsq-opt");
  assert.notEqual(bundled, shown);
  await drop(page, second);
  assert.equal(await another(page, "psnr-dfsq-opt", bundled), await score(fresh, "psnr-dfsq-opt"));
  assert.notEqual(await score(page, "psnr-dfsq-opt"), shown);
  assert.deepEqual(page.complaints, []);
});

test("another bit width goes into the same file of optimized layers, and those it had stay", async () => {
  const page = await open("#weights=2&activations=2&rounding=nearest");
  await drop(page, await png(page, 48, 48));
  await state(page, "done");
  const nearest = await score(page, "psnr-dfsq-opt");
  await openDrawer(page);
  const { bytes } = await saved(page, "save-optimized");
  const file = { name: "mine.optimized", type: "", bytes };
  const again = await open("#weights=2&activations=2");
  await drop(again, await png(again, 48, 48), file);
  await state(again, "done");
  assert.equal(await score(again, "psnr-dfsq-opt"), nearest);
  await setBits(again, "weight-bits", 3);
  await another(again, "psnr-dfsq-opt", nearest);
  await drop(again, await png(again, 40, 40));
  await setBits(again, "weight-bits", 2);
  await state(again, "done");
  assert.ok(await byId(again, "error").isHidden());
  assert.ok((await score(again, "psnr-dfsq-opt")) > 5);
  assert.deepEqual(again.complaints, []);
});
