// A new version of the site while the page is open, with and without a service worker, online and offline.
import assert from "node:assert/strict";
import { once } from "node:events";
import { cpSync, mkdtempSync, readFileSync, readdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { extname, join } from "node:path";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { another, byId, open, score, setBits, start, state, stop } from "./browser.js";

before(start);
after(stop);

const TYPES = { ".html": "text/html", ".js": "text/javascript", ".css": "text/css", ".wasm": "application/wasm", ".json": "application/json", ".png": "image/png", ".svg": "image/svg+xml" };

/** A server of a copy of the page, which can become another version. No cache lies between. */
async function site() {
  const folder = mkdtempSync(join(tmpdir(), "dfsq-site-"));
  cpSync(fileURLToPath(new URL("../../dist", import.meta.url)), folder, { recursive: true });
  const server = createServer(({ url = "/" }, answer) => {
    const path = url.split("?")[0].replace(/\/$/, "/index.html");
    try {
      const body = readFileSync(join(folder, path));
      answer.writeHead(200, { "content-type": TYPES[extname(path)] ?? "application/octet-stream", "cache-control": "no-store" }).end(body);
    } catch {
      answer.writeHead(404).end();
    }
  });
  await once(server.listen(0, "127.0.0.1"), "listening");
  return {
    address: `http://127.0.0.1:${server.address().port}/`,
    /** Every script, style and program gets another name, and the old ones are gone. */
    update() {
      const renamed = readdirSync(join(folder, "assets")).map((name) => [name, name.replace(/-[0-9a-f]{10}\./, "-0123456789.")]);
      const edit = (path) => writeFileSync(path, renamed.reduce((text, [old, name]) => text.replaceAll(old, name), readFileSync(path, "utf8").replace("<title>dfsq", "<title>new dfsq")));
      for (const [old, name] of renamed) {
        renameSync(join(folder, "assets", old), join(folder, "assets", name));
        if (name.endsWith(".js")) edit(join(folder, "assets", name));
      }
      for (const name of ["index.html", "sw.js"]) edit(join(folder, name));
    },
    stop() {
      server.close();
      server.closeAllConnections();
      rmSync(folder, { recursive: true });
    },
  };
}

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
