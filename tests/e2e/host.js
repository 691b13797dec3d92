// A static host: a copy of a folder under some path, with what such hosts do.
import { once } from "node:events";
import { cpSync, existsSync, mkdtempSync, readFileSync, readdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { extname, join } from "node:path";
import { fileURLToPath } from "node:url";

const TYPES = { ".html": "text/html", ".js": "text/javascript", ".css": "text/css", ".wasm": "application/wasm", ".json": "application/json", ".png": "image/png", ".svg": "image/svg+xml" };

/** Compressed copies that a host sends for what a browser accepts, by their endings. */
const ENCODINGS = { ".br": "br", ".gz": "gzip" };

/**
 * Serves a copy of a folder, by its path or its path within the project, and nothing outside `under`. Nothing is kept by the browser but by a service worker.
 * @param {string} source @param {{under?: string, types?: Record<string, string>}} [options] `types` are sent in the place of the right ones
 */
export async function host(source, { under = "/", types = {} } = {}) {
  const folder = mkdtempSync(join(tmpdir(), "dfsq-host-"));
  cpSync(fileURLToPath(new URL(source, new URL("../../", import.meta.url))), folder, { recursive: true });
  const server = createServer(({ url = "/", headers }, answer) => {
    const asked = decodeURIComponent(url.split("?")[0]).replace(/\/$/, "/index.html");
    const path = join(folder, asked.slice(under.length));
    if (!asked.startsWith(under) || !existsSync(path)) return answer.writeHead(404).end();
    const type = { ...TYPES, ...types }[extname(path)] ?? "application/octet-stream";
    const accepted = headers["accept-encoding"] ?? "";
    const [ending, encoding] = Object.entries(ENCODINGS).find(([ending, name]) => accepted.includes(name) && existsSync(path + ending)) ?? ["", ""];
    const encoded = encoding ? { "content-encoding": encoding } : {};
    return answer.writeHead(200, { "content-type": type, "cache-control": "no-store", ...encoded }).end(readFileSync(path + ending));
  });
  // A test that fails before it stops this must not keep all from ending.
  await once(server.listen(0, "127.0.0.1").unref(), "listening");
  return {
    folder,
    address: `http://127.0.0.1:${/** @type {import("node:net").AddressInfo} */ (server.address()).port}${under}`,
    /** A new version of the page: every script, style and program gets another name, and the old ones are gone. */
    update() {
      for (const path of readdirSync(folder, { recursive: true, encoding: "utf8" })) if (extname(path) in ENCODINGS) rmSync(join(folder, path));
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
