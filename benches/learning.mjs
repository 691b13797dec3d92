// How long what a network needs takes to make: in one worker's program, in Node, on as many patches of the bundled samples as
// the page takes, and in the page. ./build.sh bench learning [NETWORK ...]
import { readFileSync } from "node:fs";
import { byId, drop, openDrawer, png, setBits, start, state, stop, tab, visit } from "../tests/e2e/browser.js";

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

const networks = process.argv.length > 2 ? process.argv.slice(2) : ["edsr_x2", "rdn_x2"];
/** Seconds, by what was done. @type {Map<string, number[]>} */
const times = new Map();
const took = (/** @type {string} */ what, /** @type {number} */ seconds) => times.set(what, [...(times.get(what) ?? []), seconds]);

console.log(`Node ${process.version}; medians of ${RUNS} in seconds`);
for (const network of networks) {
  for (let run = 0; run < RUNS; run++) {
    inNode(network);
    await inTab(network);
  }
}
for (const [what, list] of times) console.log(`${list.sort((a, b) => a - b)[RUNS >> 1]?.toFixed(2)} s: ${what}`);

/** @param {string} network */
function inNode(network) {
  const session = new dfsq.Session(load(`onnx/${network}.onnx`), undefined);
  const go = () => true;
  const time = (/** @type {string} */ what, /** @type {() => void} */ work) => {
    const start = performance.now();
    work();
    took(`${network} in Node, ${what}`, (performance.now() - start) / 1000);
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

/** In a new Chromium with a picture of 64 x 64 pixels, from the page's message to a worker until its answer. @param {string} network */
async function inTab(network) {
  await start();
  const page = await tab();
  await page.addInitScript(() => {
    const answered = (/** @type {any} */ (globalThis).answered = []);
    const Plain = globalThis.Worker;
    globalThis.Worker = class extends Plain {
      postMessage(/** @type {any} */ message) {
        const sent = performance.now();
        this.addEventListener("message", ({ data }) => data.id === message.id && "result" in data && answered.push([message.method, (performance.now() - sent) / 1000]));
        super.postMessage(message);
      }
    };
  });
  /** @param {string} what @param {string} method of the worker @param {() => Promise<void>} act */
  const time = async (what, method, act) => {
    await act();
    await page.waitForFunction((method) => /** @type {any} */ (globalThis).answered.some(([name]) => name === method), method);
    await state(page, "done");
    const all = await page.evaluate(() => /** @type {any} */ (globalThis).answered.splice(0));
    took(`${network} in the tab, ${what}`, all.find((/** @type {[string]} */ [name]) => name === method)[1]);
  };
  await visit(page, `#network=${network}`);
  await drop(page, await png(page, 64, 64));
  await state(page, "done");
  await page.locator("#link-bits").uncheck();
  await time("optimize for 4 / 3 bits", "optimize", () => setBits(page, "activation-bits", 3));
  await time("optimize for 2 / 3 bits after that", "optimize", () => setBits(page, "weight-bits", 2));
  await openDrawer(page);
  await time("calibrate", "calibrate", () => byId(page, "calibrate-patches").click());
  await page.locator("#layer-bits summary").click();
  await byId(page, "measured-method").selectOption("dfsq");
  await time("measure layers with dfsq", "layerErrors", () => byId(page, "measure-layers").click());
  await stop();
}
