// Pictures of differences.
import assert from "node:assert/strict";
import { test } from "node:test";
import { difference } from "../../www/model/difference.js";

test("a difference is grey where pictures are equal, and cut off at black and white", () => {
  const picture = (...values) => ({ width: 1, height: 1, rgba: Uint8Array.from(values) });
  const shown = difference(picture(10, 100, 200, 255), picture(10, 103, 100, 0), 8);
  assert.deepEqual([...shown.rgba], [128, 152, 0, 255]);
});
