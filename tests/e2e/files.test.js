// What is opened, dropped, downloaded and closed, in a real Chromium.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { another, byId, drop, open, png, score, start, state, stop, tab, visit } from "./browser.js";

before(start);
after(stop);

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

test("a network is downloaded once, and a damaged one is refused", async () => {
  const page = await open();
  const context = page.context();
  const asked = [];
  context.on("request", (request) => request.url().includes(".onnx") && asked.push(request.url()));
  await page.reload();
  await state(page, "ready");
  assert.deepEqual(asked, [], "it is kept");
  await context.route(/rdn_x2\.onnx/, async (route) => {
    const response = await route.fetch();
    const body = await response.body();
    body[body.length - 1000] ^= 1;
    await route.fulfill({ response, body });
  });
  await byId(page, "model-select").selectOption("rdn_x2");
  await byId(page, "error").filter({ hasText: "not the one that is listed" }).waitFor();
  assert.equal(await byId(page, "model-select").inputValue(), "edsr_x2");
  await context.unroute(/rdn_x2\.onnx/);
  await byId(page, "model-select").selectOption("rdn_x2");
  await page.locator("#network-note").filter({ hasText: "dense blocks" }).waitFor();
});

test("images are closed, the last one too", async () => {
  const page = await open();
  await drop(page, await png(page, 48, 40), await png(page, 40, 48));
  await state(page, "done");
  const second = await score(page, "psnr-fp32");
  await byId(page, "close-sample").click();
  await another(page, "psnr-fp32", second);
  assert.deepEqual(await byId(page, "sample-select").locator("option").allTextContents(), ["waves-48x40.png"]);
  await byId(page, "close-sample").click();
  await byId(page, "status").filter({ hasText: "Drop an image" }).waitFor();
  assert.equal(await byId(page, "psnr-fp32").textContent(), "–");
  assert.ok(await byId(page, "close-sample").isDisabled());
  assert.deepEqual(page.complaints, []);
});

test("a download is announced by its name, and its bytes are not read out", async () => {
  const page = await open();
  let go;
  const gate = new Promise((resolve) => (go = resolve));
  await page.context().route(/rdn_x2\.calibration/, async (route) => {
    await gate;
    await route.continue();
  });
  await byId(page, "model-select").selectOption("rdn_x2");
  await page.locator("#download").filter({ hasText: /\d\.\d of \d\.\d MB/ }).waitFor();
  assert.equal(await byId(page, "status").textContent(), "Loading RDN ×2…");
  go();
  await page.locator("#network-note").filter({ hasText: "dense blocks" }).waitFor();
  assert.equal(await page.locator("#download").textContent(), "");
});

test("an image that is too small, dropped with another, keeps nobody waiting, and its error comes back when it happens anew", async () => {
  const page = await open();
  const [tiny, good] = [await png(page, 12, 12), await png(page, 48, 48)];
  for (const files of [[tiny, good], [good, tiny]]) {
    await drop(page, ...files);
    await state(page, "done", "error");
    for (const file of files) {
      await page.locator("#tray").getByRole("button", { name: file.name, exact: true }).click();
      await state(page, file === tiny ? "error" : "done");
    }
    for (const file of files) await page.locator("#tray").getByRole("button", { name: file.name, exact: true }).press("Delete");
  }
  await drop(page, tiny);
  await state(page, "error");
  const error = byId(page, "error");
  await error.getByRole("button", { name: "Dismiss" }).click();
  await error.waitFor({ state: "hidden" });
  await byId(page, "run").click();
  await error.filter({ hasText: "too small" }).waitFor();
  assert.deepEqual(page.complaints, []);
});

test("where the first network cannot be had the page says so, offers what is kept, and tries again", async () => {
  const page = await tab();
  await page.context().route(/edsr_x2\.onnx/, (route) => route.abort());
  await visit(page, "", "error");
  const error = byId(page, "error");
  await error.filter({ hasText: "EDSR ×2: edsr_x2.onnx could not be fetched: is there a network?" }).waitFor();
  assert.equal(await byId(page, "status").textContent(), "No network is in use: choose one, or drop an ONNX file.");
  assert.equal(await byId(page, "model-select").inputValue(), "");
  assert.equal(await page.evaluate(() => localStorage.getItem("dfsq")), "weights=4&activations=4", "nothing else is kept before a network is in use");
  await byId(page, "model-select").selectOption("edsr_x4");
  await state(page, "ready");
  await byId(page, "model-select").selectOption("edsr_x2");
  await error.getByRole("button", { name: /EDSR.*kept here/ }).waitFor();
  assert.equal(await byId(page, "model-select").inputValue(), "edsr_x4", "the one in use stays");
  await page.context().unroute(/edsr_x2\.onnx/);
  await error.getByRole("button", { name: "Try again" }).click();
  await page.waitForFunction(() => /** @type {any} */ (document.querySelector("#network")).value === "edsr_x2");
  await state(page, "ready");
});

test("open images are there again at the next visit, with their regions", async () => {
  const page = await open();
  await drop(page, await png(page, 300, 280), await png(page, 64, 48));
  await state(page, "done");
  await byId(page, "sample-select").selectOption("0");
  await page.locator("#region select").selectOption("128");
  await page.waitForFunction(() => /^Done: waves-300x280.png, 128/.test(document.querySelector("#status")?.textContent ?? ""));
  const before = await score(page, "psnr-dfsq");
  // It is kept once it rests.
  await page.waitForTimeout(1500);
  await page.reload();
  await page.waitForFunction(() => /^Done: waves-300x280.png, 128/.test(document.querySelector("#status")?.textContent ?? ""));
  assert.equal(await score(page, "psnr-dfsq"), before);
  const names = () => byId(page, "sample-select").locator("option").allTextContents();
  assert.deepEqual(await names(), ["waves-300x280.png", "waves-64x48.png"]);
  assert.deepEqual(page.complaints, []);
  // A visit without a network, and one by a link, lose none of it.
  await page.evaluate(() => caches.delete("dfsq-downloads"));
  await page.context().route(/edsr_x2\.onnx/, (route) => route.abort());
  await page.reload();
  await state(page, "error");
  await page.waitForTimeout(1500);
  await page.context().unroute(/edsr_x2\.onnx/);
  await page.goto("about:blank");
  await visit(page, "#sample=parrot");
  await page.waitForFunction(() => /^Done: parrot/.test(document.querySelector("#status")?.textContent ?? ""));
  assert.deepEqual(await names(), ["waves-300x280.png", "waves-64x48.png", "parrot.png"]);
});
