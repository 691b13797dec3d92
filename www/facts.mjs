// Writes into pkg/ what the program knows and does not change while the page runs, for the page's scripts and style. To be run
// after the program was built.
import { readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

const pkg = (name) => fileURLToPath(new URL(`pkg/${name}`, import.meta.url));
const program = await import("./pkg/dfsq.js");
program.initSync({ module: readFileSync(pkg("dfsq_bg.wasm")) });
const [methods, quantized, sets, estimators, sources, ofKmeans] = program.facts();

const constant = (about, name, value) => `/** ${about} */\nexport const ${name} = ${JSON.stringify(value)};\n`;
writeFileSync(pkg("facts.js"), [
  "// Made by www/facts.mjs.\n",
  constant("What methods are called. @type {Record<string, string>}", "METHOD_TITLES", Object.fromEntries(methods)),
  constant("Methods that quantize, in the order of the figures. @type {string[]}", "QUANTIZED_METHODS", quantized),
  constant("Of so many word sets: the number of values of the universal set. @type {[number, number][]}", "UNIVERSAL_SETS", sets),
  constant("What estimators of ranges are called, by id. @type {[string, string][]}", "RANGE_ESTIMATORS", estimators),
  constant("What of `PointSettings` counts with k-means alone. @type {(\"preset\" | \"restarts\" | \"seed\")[]}", "OF_KMEANS", ofKmeans),
  constant("What sources of points are called, by id, and the only bits of those that have no others. @type {[string, string, number | null][]}", "POINT_SOURCES", sources),
].join(""));
const hex = (colour) => `#${colour.map((part) => part.toString(16).padStart(2, "0")).join("")}`;
const colours = methods.map(([id, , [light, dark]]) => `  --${id}: light-dark(${hex(light)}, ${hex(dark)});`);
writeFileSync(pkg("facts.css"), [":root {", ...colours, "}", ""].join("\n"));
