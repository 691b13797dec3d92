// Makes ../site of ../dist: what a static host is given, with compressed copies beside the files for those that send them.
import { cpSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { brotliCompressSync, constants, gzipSync } from "node:zlib";

const [dist, site] = ["dist", "site"].map((name) => fileURLToPath(new URL(`../${name}`, import.meta.url)));

/** What is not compressed yet. */
const TEXT = /\.(css|html|js|json|map|svg|wasm)$/;

const ENCODERS = {
  br: (bytes) => brotliCompressSync(bytes, { params: { [constants.BROTLI_PARAM_QUALITY]: 11, [constants.BROTLI_PARAM_SIZE_HINT]: bytes.length } }),
  gz: (bytes) => gzipSync(bytes, { level: 9 }),
};

rmSync(site, { recursive: true, force: true });
cpSync(dist, site, { recursive: true });
// GitHub Pages takes the folder as it is.
writeFileSync(join(site, ".nojekyll"), "");
const files = readdirSync(site, { recursive: true, encoding: "utf8" }).map((path) => join(site, path));
for (const path of files.filter((path) => TEXT.test(path))) {
  const bytes = readFileSync(path);
  for (const [ending, encode] of Object.entries(ENCODERS)) writeFileSync(`${path}.${ending}`, encode(bytes));
}
const total = files.filter((path) => statSync(path).isFile()).reduce((sum, path) => sum + statSync(path).size, 0);
console.log(`site/ has ${(total / 1e6).toFixed(1)} MB without compressed copies`);
