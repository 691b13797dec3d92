// Makes ../dist of this folder: scripts, style and programs under names that hold a hash of what is in them, and the service
// worker that keeps one version of it all. To be run after the programs were built.
import { createHash } from "node:crypto";
import { cpSync, mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { basename, extname } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const www = (path = "") => fileURLToPath(new URL(path, import.meta.url));
const dist = (path = "") => fileURLToPath(new URL(`../dist/${path}`, import.meta.url));

/** The programs, by what they are called in pkg/: without tract, which is what every visit needs, and with it, four times as
 * large, for networks with operators that the native engine lacks. */
const PROGRAMS = ["dfsq", "dfsq-tract"];

const hashed = (bytes) => createHash("sha256").update(bytes).digest("hex").slice(0, 10);

/** Bundles a script or style into assets/, and answers with its name there. */
async function bundle(entry, name, options) {
  const { outputFiles } = await build({
    entryPoints: [www(entry)],
    bundle: true,
    minify: true,
    sourcemap: true,
    write: false,
    outdir: dist("assets"),
    entryNames: name,
    target: "es2022",
    logLevel: "warning",
    logOverride: { "empty-import-meta": "silent" },
    ...options,
  });
  const [map, code] = [outputFiles.find(({ path }) => path.endsWith(".map")), outputFiles.find(({ path }) => !path.endsWith(".map"))];
  // A hash of the code, and not of where it was built, which the map may tell.
  const text = code.text.replace(/\n?(\/\/|\/\*)# sourceMappingURL=.*/, "");
  const file = `${name}-${hashed(text)}${extname(code.path)}`;
  const comment = file.endsWith(".css") ? `/*# sourceMappingURL=${file}.map */` : `//# sourceMappingURL=${file}.map`;
  writeFileSync(dist(`assets/${file}`), `${text}\n${comment}\n`);
  writeFileSync(dist(`assets/${file}.map`), map.text);
  return file;
}

/** Copies a file into assets/, and answers with its name there. */
function copied(path, name) {
  const bytes = readFileSync(www(path));
  const file = `${name}-${hashed(bytes)}${extname(path)}`;
  writeFileSync(dist(`assets/${file}`), bytes);
  return file;
}

rmSync(dist(), { recursive: true, force: true });
mkdirSync(dist("assets"), { recursive: true });

const programs = {};
for (const name of PROGRAMS) {
  const worker = await bundle("engine/worker.js", `${name}-worker`, { format: "iife", alias: { program: www(`pkg/${name}.js`) } });
  programs[name] = { worker, wasm: copied(`pkg/${name}_bg.wasm`, name) };
}
const main = await bundle("main.js", "main", { format: "esm", define: { PROGRAM_FILES: JSON.stringify(programs) } });
const style = await bundle("style.css", "style");

const page = readFileSync(www("index.html"), "utf8")
  .replace('href="style.css"', `href="assets/${style}"`)
  .replace('src="main.js"', `src="assets/${main}"`)
  .replace("</title>", `</title>\n    <link rel="preload" href="assets/${programs[PROGRAMS[0]].worker}" as="fetch" crossorigin>`);
writeFileSync(dist("index.html"), page);
for (const path of ["icon.svg", "manifest.json", "still.jpg"]) cpSync(www(path), dist(path));
for (const path of ["samples", "onnx"]) cpSync(www(path), dist(path), { recursive: true });

// What every visit needs. Networks are kept by engine/downloads.js, and what few need when it is needed.
const first = [main, style, ...Object.values(programs[PROGRAMS[0]])].map((file) => `assets/${file}`);
const samples = readdirSync(www("samples")).filter((name) => name.endsWith(".png")).map((name) => `samples/${name}`);
const files = ["./", ...first, "icon.svg", "manifest.json", "still.jpg", "onnx/models.json", ...samples];
const version = hashed(files.map((file) => hashed(readFileSync(dist(file === "./" ? "index.html" : file)))).join());
const { outputFiles } = await build({
  entryPoints: [www("sw.js")],
  bundle: true,
  minify: true,
  write: false,
  format: "iife",
  target: "es2022",
  define: { VERSION: JSON.stringify(version), FILES: JSON.stringify(files) },
});
writeFileSync(dist("sw.js"), outputFiles[0].text);
console.log(`${basename(dist())}/ is version ${version}, ${files.length} files kept for when there is no network`);
