// A new version of the site while the page is open, with and without a service worker, online and offline.
import assert from "node:assert/strict";
import { readFileSync, readdirSync } from "node:fs";
import { extname, join } from "node:path";
import { brotliDecompressSync, gunzipSync } from "node:zlib";
import { after, before, test } from "node:test";
import { another, byId, open, score, setBits, start, state, stop } from "./browser.js";
import { host } from "./host.js";

before(start);
after(stop);

/** What `./build.sh site` wrote, where a project's pages lie on a host of many. */
const site = () => host("site", { under: "/dfsq/" });

/** Changes bits while a run is under way, so that workers start again; then all is computed. */
async function restart(page, before, ...widths) {
  let started = 0;
  page.on("worker", () => started++);
  for (const bits of widths) {
    await setBits(page, "weight-bits", bits);
    await state(page, "running");
  }
  const now = await another(page, "psnr-dfsq", before);
  assert.ok(started > 0, "a worker was started");
  assert.ok(await byId(page, "error").isHidden(), await byId(page, "error").textContent());
  return now;
}

test("a tab without a service worker goes on after an update of the site, and offline", async () => {
  const own = await site();
  const page = await open(own.address);
  await byId(page, "sample-parrot").click();
  await state(page, "done");
  const before = await score(page, "psnr-dfsq");
  own.update();
  const after = await restart(page, before, 8, 2, 3);
  await page.context().setOffline(true);
  await restart(page, after, 8, 6, 2);
  assert.deepEqual(page.complaints, []);
  own.stop();
});

test("a new version waits until the user takes it, and no two are mixed", async () => {
  const own = await site();
  const page = await open(own.address, { serviceWorkers: "allow" });
  await page.waitForFunction(() => navigator.serviceWorker.controller !== null);
  own.update();
  await page.reload();
  await state(page, "ready");
  assert.match(await page.title(), /^dfsq/);
  await byId(page, "update").waitFor();
  await byId(page, "sample-parrot").click();
  await state(page, "done");
  await restart(page, await score(page, "psnr-dfsq"), 8, 2, 3);
  await byId(page, "update").getByRole("button").click();
  await page.waitForFunction(() => document.title.startsWith("new dfsq"));
  await state(page, "done");
  assert.ok(await byId(page, "update").isHidden());
  assert.deepEqual(await page.evaluate(async () => (await caches.keys()).filter((name) => name.startsWith("dfsq-page")).length), 1);
  // The new one is whole, without a server.
  own.stop();
  await page.goto(`${own.address}index.html?engine=native`);
  await state(page, "done");
  assert.match(await page.title(), /^new dfsq/);
  assert.deepEqual(page.complaints, []);
});

test("a host that knows neither WebAssembly nor the site's path serves it", async () => {
  const own = await host("site", { under: "/some/path/", types: { ".wasm": "application/octet-stream" } });
  const page = await open(own.address);
  await byId(page, "sample-parrot").click();
  await state(page, "done");
  assert.ok((await score(page, "psnr-dfsq")) > 20);
  assert.deepEqual(page.complaints, []);
  own.stop();
});

test("what the site holds names nothing absolute, and its compressed copies are the files", async () => {
  const own = await site();
  const read = (path) => readFileSync(join(own.folder, path));
  const files = readdirSync(own.folder, { recursive: true, encoding: "utf8" });
  const decode = { ".br": brotliDecompressSync, ".gz": gunzipSync };
  for (const [ending, decompress] of Object.entries(decode)) {
    const copies = files.filter((path) => extname(path) === ending);
    assert.ok(copies.some((path) => path.endsWith(`.wasm${ending}`)), ending);
    for (const path of copies) assert.ok(decompress(read(path)).equals(read(path.slice(0, -3))), path);
  }
  // Of the page, what it loads; it may link to papers.
  const loads = String(read("index.html")).match(/<(link|script|img)[^>]*>/g) ?? [];
  for (const text of [...loads, String(read("manifest.json")), String(read("onnx/models.json"))]) assert.equal(text.match(/"(\/|https?:)[^"]*"/)?.[0], undefined);
  own.stop();
});
