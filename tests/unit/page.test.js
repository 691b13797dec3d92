// What the page's files must agree on.
import assert from "node:assert/strict";
import { readFileSync, readdirSync } from "node:fs";
import { test } from "node:test";
import { difference } from "../../www/model/difference.js";

const www = new URL("../../www/", import.meta.url);

test("every script of the page is fetched at once, not when the one before it asks for it", () => {
  const scripts = ["engine", "model", "view"].flatMap((folder) => readdirSync(new URL(folder, www)).map((name) => `${folder}/${name}`));
  const listed = [...readFileSync(new URL("index.html", www), "utf8").matchAll(/rel="modulepreload" href="([^"]+)"/g)].map(([, name]) => name);
  assert.deepEqual(listed.sort(), scripts.filter((name) => name !== "engine/worker.js").sort());
});

test("a difference is grey where pictures are equal, and cut off at black and white", () => {
  const picture = (...values) => ({ width: 1, height: 1, rgba: Uint8Array.from(values) });
  const shown = difference(picture(10, 100, 200, 255), picture(10, 103, 100, 0), 8);
  assert.deepEqual([...shown.rgba], [128, 152, 0, 255]);
});
