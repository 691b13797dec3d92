// esbuild leaves addresses of workers and of WebAssembly as they are: what they name is laid beside the bundle.
import { copyFileSync } from "node:fs";
import { build } from "esbuild";

await build({ entryPoints: ["main.js"], bundle: true, splitting: true, format: "esm", minify: true, outdir: "dist" });
copyFileSync("index.html", "dist/index.html");
for (const file of ["worker.js", "dfsq_bg.wasm", "tract-worker.js", "dfsq-tract_bg.wasm"]) copyFileSync(`node_modules/dfsq/${file}`, `dist/${file}`);
