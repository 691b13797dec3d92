// Pictures of differences.
import assert from "node:assert/strict";
import { test } from "node:test";
import { difference, errorMap, localPsnr } from "../../www/model/difference.js";

test("a difference is grey where pictures are equal, and cut off at black and white", () => {
  const picture = (...values) => ({ width: 1, height: 1, rgba: Uint8Array.from(values) });
  const shown = difference(picture(10, 100, 200, 255), picture(10, 103, 100, 0), 8);
  assert.deepEqual([...shown.rgba], [128, 152, 0, 255]);
});

test("a local error is the PSNR on luma around each pixel, by hand", () => {
  const flat = (width, height, level) => ({ width, height, rgba: new Uint8Array(4 * width * height).fill(level) });
  const [first, second] = [flat(20, 12, 100), flat(20, 12, 100)];
  // One grey pixel is 10 brighter: 8.588 on luma.
  second.rgba.fill(110, 4 * (5 * 20 + 2), 4 * (5 * 20 + 2) + 3);
  const psnr = localPsnr(first, second);
  const of = (pixels) => 10 * Math.log10(255 ** 2 / ((10 * 219 / 255) ** 2 / pixels));
  // Windows of 9 x 9, cut off at the border: from column 0, 7 columns reach column 2.
  assert.ok(Math.abs(psnr[5 * 20 + 2] - of(7 * 9)) < 1e-6, `${psnr[5 * 20 + 2]}`);
  assert.ok(Math.abs(psnr[9 * 20 + 6] - of(9 * 7)) < 1e-6, `${psnr[9 * 20 + 6]}`);
  assert.ok(psnr[5 * 20 + 7] > 150, "too far away");
  const { rgba } = errorMap(first, second);
  assert.deepEqual([...rgba.subarray(4 * (5 * 20 + 9), 4 * (5 * 20 + 10))], [0, 0, 0, 255]);
  assert.ok(rgba[4 * (5 * 20 + 2)] > 200 && rgba[4 * (5 * 20 + 2) + 2] === 0);
});
