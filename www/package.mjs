// Makes ../npm: the package `dfsq`, as it is published, of engine/, package/ and the programs. To be run after those were built.
import { execFileSync } from "node:child_process";
import { copyFileSync, cpSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const www = (path = "") => fileURLToPath(new URL(path, import.meta.url));
const npm = (path = "") => fileURLToPath(new URL(`../npm/${path}`, import.meta.url));

/** Programs by the names that their workers have in the package. */
const WORKERS = { worker: "dfsq", "tract-worker": "dfsq-tract" };

const bundled = { bundle: true, format: "esm", target: "es2022", outdir: npm(), logLevel: "warning" };

rmSync(npm(), { recursive: true, force: true });
mkdirSync(npm());

// Without `minify`: whoever bundles it will, and whoever debugs it can read it.
await build({ ...bundled, entryPoints: [www("package/index.js"), www("package/tract.js")], splitting: true, chunkNames: "shared-[hash]" });
await build({ ...bundled, entryPoints: [www("package/node.js"), www("package/node-worker.js")], platform: "node" });
for (const [worker, program] of Object.entries(WORKERS)) {
  const alias = { program: www(`pkg/${program}.js`) };
  await build({ ...bundled, entryPoints: { [worker]: www("engine/worker.js") }, alias });
  copyFileSync(www(`pkg/${program}_bg.wasm`), npm(`${program}_bg.wasm`));
}

// Types lie as their sources do, since they name each other.
const [, , typescript] = process.argv;
const entries = ["index", "tract"].map((name) => www(`package/${name}.js`));
const declared = ["--allowJs", "--declaration", "--emitDeclarationOnly", "--target", "es2022", "--module", "esnext", "--moduleResolution", "bundler", "--lib", "esnext,dom,dom.iterable"];
execFileSync(typescript, [...entries, ...declared, "--rootDir", www("./"), "--outDir", npm("types")], { stdio: "inherit" });
cpSync(www("engine/verbs.d.ts"), npm("types/engine/verbs.d.ts"));
// Without what only the latest `lib` knows, and no one outside the worker calls.
const program = readFileSync(www("pkg/dfsq.d.ts"), "utf8").replace(/^ *\[Symbol\.dispose\].*\n/gm, "");
mkdirSync(npm("types/pkg"), { recursive: true });
writeFileSync(npm("types/pkg/dfsq.d.ts"), program);

const version = /^version = "(.*)"/m.exec(readFileSync(www("../Cargo.toml"), "utf8"))?.[1];
const description = JSON.parse(readFileSync(www("package/package.json"), "utf8"));
writeFileSync(npm("package.json"), `${JSON.stringify({ name: "dfsq", version, ...description }, null, 2)}\n`);
copyFileSync(www("package/README.md"), npm("README.md"));
for (const licence of ["LICENSE-APACHE", "LICENSE-MIT"]) copyFileSync(www(`../${licence}`), npm(licence));
