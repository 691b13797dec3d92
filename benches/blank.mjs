// An empty page in a headless Chromium, and a server that gives it files of several folders.
import { readFile } from "node:fs/promises";
import http from "node:http";
import { createRequire } from "node:module";
import { extname } from "node:path";
import { fileURLToPath } from "node:url";

export const root = fileURLToPath(new URL("../", import.meta.url));
const { chromium } = createRequire(`${root}tests/e2e/`)("playwright-core");

const TYPES = /** @type {Record<string, string>} */ ({ ".js": "text/javascript", ".mjs": "text/javascript", ".wasm": "application/wasm" });

/**
 * Addresses begin with the name of a folder, or with `file` and any path behind it.
 * @param {Record<string, string>} folders @returns {Promise<{page: import("playwright-core").Page, version: string, close(): Promise<void>}>}
 */
export async function blankPage(folders) {
  const server = http.createServer(async ({ url = "/" }, answer) => {
    const path = new URL(url, "http://localhost").pathname;
    const [, from = "", file = ""] = path.match(/^\/(\w+)\/(.*)$/) ?? [];
    try {
      const body = path === "/" ? "<!doctype html>" : await readFile(from === "file" ? decodeURIComponent(file) : `${folders[from]}/${file}`);
      const type = path === "/" ? "text/html" : (TYPES[extname(path)] ?? "application/octet-stream");
      // Threads need shared memory, which needs these.
      answer.writeHead(200, { "content-type": type, "cross-origin-opener-policy": "same-origin", "cross-origin-embedder-policy": "require-corp" }).end(body);
    } catch {
      answer.writeHead(404).end();
    }
  });
  await new Promise((ready) => server.listen(0, "127.0.0.1", () => ready(undefined)));
  const browser = await chromium.launch({ executablePath: process.env.BROWSER, args: ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"] });
  const page = await browser.newPage();
  await page.goto(`http://127.0.0.1:${/** @type {import("node:net").AddressInfo} */ (server.address()).port}/`);
  const close = async () => {
    await browser.close();
    server.close();
  };
  return { page, version: browser.version(), close };
}
