// How long what a network needs takes to make in one worker's program, in Node, on as many patches of the bundled samples as
// the page takes. ./build.sh bench learning [NETWORK ...]
import { readFileSync } from "node:fs";

const www = new URL("../www/", import.meta.url);
const dfsq = await import(new URL("pkg/dfsq.js", www).href);
await dfsq.default({ module_or_path: readFileSync(new URL("pkg/dfsq_bg.wasm", www)) });
const load = (/** @type {string} */ file) => new Uint8Array(readFileSync(new URL(file, www)));
const samples = ["parrot", "lighthouse", "bikes"].map((name) => dfsq.decodeImage(load(`samples/${name}.png`)));
const defaults = dfsq.defaults();
const widths = defaults.bitWidths.filter((/** @type {number} */ width) => width !== 32);
const RUNS = 3;

/** Patches in a row from each sample. @param {number} count @param {number} side */
function patches(count, side) {
  return Array.from({ length: count }, (_, index) => {
    const { width, rgba } = samples[index % samples.length];
    const [x, y] = [(index * 61) % (width - side), 40 + ((index * 37) % 90)];
    const rows = Array.from({ length: side }, (_, row) => rgba.subarray(4 * ((y + row) * width + x)).subarray(0, 4 * side));
    const cut = new Uint8Array(4 * side * side);
    rows.forEach((pixels, row) => cut.set(pixels, 4 * side * row));
    return { width: side, height: side, rgba: cut };
  });
}

console.log(`Node ${process.version}; medians of ${RUNS} in seconds, each in a session of its own`);
for (const network of process.argv.length > 2 ? process.argv.slice(2) : ["edsr_x2", "rdn_x2"]) {
  /** @type {Record<string, number[]>} */
  const times = {};
  for (let run = 0; run < RUNS; run++) {
    const session = new dfsq.Session(load(`onnx/${network}.onnx`), undefined);
    const go = () => true;
    const time = (/** @type {string} */ what, /** @type {() => void} */ work) => {
      const start = performance.now();
      work();
      (times[what] ??= []).push((performance.now() - start) / 1000);
    };
    const optimize = (/** @type {number} */ bits) =>
      session.optimize(patches(9, 32), { ...defaults.options, method: "dfsq-opt", weightBits: bits, activationBits: bits }, defaults.optimalPoints, defaults.recipe, go);
    time("calibrate, 9 patches of 48 x 48, 4 bits", () => session.calibrate(patches(9, 48), defaults.points, [4], go));
    time("calibrate for all bits after that", () => session.calibrate(patches(9, 48), defaults.points, widths, go));
    time("optimize, 9 patches of 32 x 32, 4 bits", () => optimize(4));
    time("optimize for 3 bits after that", () => optimize(3));
    for (const method of ["dfsq", "dfsq-opt"]) {
      const options = { ...defaults.options, method };
      time(`measure layers with ${method}, 3 patches of 24 x 24, all bits`, () => session.layerErrors(patches(3, 24), options, defaults.optimalPoints, defaults.recipe, widths, go));
    }
    session.free();
  }
  for (const [what, list] of Object.entries(times)) console.log(`${network}: ${list.sort((a, b) => a - b)[RUNS >> 1]?.toFixed(2)} s to ${what}`);
}
