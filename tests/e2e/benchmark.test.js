// A folder of images as a benchmark, in a real Chromium.
import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { byId, commandLine, drop, file, open, saved, setBits, start, state, stop } from "./browser.js";

before(start);
after(stop);

const NAMES = ["parrot", "lighthouse", "bikes"];

/** A folder with the bundled samples, and what else is wanted. */
async function folder(others = {}) {
  const path = mkdtempSync(join(tmpdir(), "dfsq-"));
  for (const name of NAMES) writeFileSync(join(path, `${name}.png`), await file(`www/samples/${name}.png`));
  for (const [name, content] of Object.entries(others)) writeFileSync(join(path, name), content);
  return path;
}

const row = (page, method, bits) =>
  byId(page, "benchmark-table").evaluate(
    (table, [method, bits]) => {
      const row = [...table.tBodies[0].rows].find((one) => one.cells[0].textContent === method && one.cells[1].textContent === bits);
      return row && [...row.cells].slice(2).map((cell) => Number(cell.textContent));
    },
    [method, bits],
  );

test("a folder is run at all widths, with the command line's means, and exported", async () => {
  const path = await folder({ "broken.png": "no image", "readme.txt": "words" });
  try {
    const page = await open();
    await byId(page, "folder-input").setInputFiles(path);
    await byId(page, "benchmark-status").filter({ hasText: "4 of 4 images, 1 failed" }).waitFor();
    for (const [method, name, bits] of [["dfsq", "DFSQ", "4"], ["min-max", "Min-max", "2"], ["fp32", "Full precision", "–"]]) {
      const { mean_psnr_y, mean_ssim_y } = commandLine("--method", method, ...(bits === "–" ? [] : ["--weight-bits", bits, "--activation-bits", bits]));
      const [psnr, ssim] = await row(page, name, bits);
      assert.ok(Math.abs(psnr - mean_psnr_y) < 0.01 && Math.abs(ssim - mean_ssim_y) < 0.001, `${method}: ${psnr}, ${mean_psnr_y}, ${ssim}, ${mean_ssim_y}`);
    }
    await page.locator("#benchmark-each summary").click();
    assert.match(await page.locator("#benchmark-images").textContent(), /broken\.png.*(image|format)/);
    const { bytes } = await saved(page, "benchmark-tex");
    assert.match(String(bytes), /W4A4 & W3A3 & W2A2/);
    assert.deepEqual(page.complaints, []);
  } finally {
    rmSync(path, { recursive: true });
  }
});

test("it is paused, goes on after a reload, and lets what is looked at go first", async () => {
  const path = await folder();
  try {
    const page = await open();
    await byId(page, "folder-input").setInputFiles(path);
    await byId(page, "benchmark-run").filter({ hasText: "Pause" }).click();
    await byId(page, "benchmark-status").filter({ hasText: "paused" }).waitFor();
    await state(page, "ready");
    // Its files are there tomorrow.
    await page.waitForTimeout(1500);
    await page.reload();
    await byId(page, "benchmark-status").filter({ hasText: "of 3 images, paused" }).waitFor();
    await byId(page, "benchmark-run").filter({ hasText: "Resume" }).click();
    await byId(page, "sample-parrot").click();
    await setBits(page, "weight-bits", 3);
    await byId(page, "benchmark-status").filter({ hasText: "3 of 3 images" }).waitFor();
    await state(page, "done");
    assert.match(await byId(page, "psnr-dfsq").textContent(), /^\d+\.\d+$/);
    assert.ok(await row(page, "DFSQ-opt", "2"));
    assert.deepEqual(page.complaints, []);
  } finally {
    rmSync(path, { recursive: true });
  }
});

test("it goes on when pictures are closed and files refused, asks before the tab closes, and its results are kept", async () => {
  const path = await folder();
  try {
    const page = await open();
    await byId(page, "folder-input").setInputFiles(path);
    await byId(page, "benchmark-status").filter({ hasText: "of 3 images" }).waitFor();
    await drop(page, { name: "broken.calibration", type: "", bytes: Buffer.from("no") }, { name: "broken.onnx", type: "", bytes: Buffer.from("no") });
    await byId(page, "error").filter({ hasText: "broken.onnx" }).waitFor();
    await byId(page, "sample-parrot").click();
    await byId(page, "tray-remove-0").click();
    assert.equal(await byId(page, "benchmark-run").textContent(), "Pause", "it is not paused");
    const asked = page.waitForEvent("dialog");
    page.on("dialog", (dialog) => dialog.dismiss());
    await page.close({ runBeforeUnload: true });
    assert.equal((await asked).type(), "beforeunload");
    await byId(page, "benchmark-status").filter({ hasText: "3 of 3 images" }).waitFor();
    const before = await row(page, "DFSQ-opt", "3");
    await page.waitForTimeout(1500);
    await page.reload();
    await byId(page, "benchmark-status").filter({ hasText: /^3 of 3 images$/ }).waitFor();
    assert.deepEqual(await row(page, "DFSQ-opt", "3"), before);
    assert.ok(await byId(page, "benchmark-run").isDisabled());
    assert.match(String((await saved(page, "benchmark-csv")).bytes), /parrot\.png,dfsq-opt,3,/);
    assert.deepEqual(page.complaints, []);
  } finally {
    rmSync(path, { recursive: true });
  }
});
