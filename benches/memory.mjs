// What one worker's program holds in memory after a run, in Node. ./build.sh bench memory [NETWORK:ROWSxCOLUMNS ...]
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

const SELF = fileURLToPath(import.meta.url);
const www = new URL("../www/", import.meta.url);
const CASES = ["edsr_x2:64x64", "edsr_x2:256x256", "edsr_x2:512x512", "edsr_x2:1024x1024", "edsr_x4:256x256", "edsr_x4:512x512", "rdn_x2:256x256"];

const [flag, network = "", height = "", width = "", method = ""] = process.argv.slice(2);
if (flag === "--one") await one(network, Number(height), Number(width), method);
else {
  console.log(`Node ${process.version}; MB of the program's memory when ready and after a run, which is its peak, and seconds of the run`);
  for (const name of process.argv.length > 2 ? process.argv.slice(2) : CASES) {
    const parts = name.match(/^(.+):(\d+)x(\d+)$/)?.slice(1);
    if (!parts) throw new Error(`${name} is not like edsr_x2:64x64`);
    // Memory of WebAssembly never shrinks: a process for each.
    for (const of of ["fp32", "dfsq"]) spawnSync(process.execPath, [SELF, "--one", ...parts, of], { stdio: "inherit" });
  }
}

/** @param {string} network @param {number} height @param {number} width @param {string} method */
async function one(network, height, width, method) {
  const dfsq = await import(new URL("pkg/dfsq.js", www).href);
  const { memory } = await dfsq.default({ module_or_path: readFileSync(new URL("pkg/dfsq_bg.wasm", www)) });
  const load = (/** @type {string} */ ending) => new Uint8Array(readFileSync(new URL(`onnx/${network}.${ending}`, www)));
  const session = new dfsq.Session(load("onnx"), undefined);
  session.loadCalibration(load("calibration"));
  const held = () => memory.buffer.byteLength / 1e6;
  const [ready, start] = [held(), performance.now()];
  const picture = { width, height, rgba: new Uint8Array(4 * width * height).map((_, i) => (i * 7919) % 256) };
  session.upscale(picture, undefined, { ...dfsq.defaults().options, method }, () => true);
  const [seconds, peak] = [(performance.now() - start) / 1000, held()];
  const each = ((peak - ready) * 1e3) / (width * height);
  console.log(`${network} ${height}x${width} ${method}: ${ready.toFixed(0)}, ${peak.toFixed(0)} MB (${each.toFixed(2)} kB for each input pixel), ${seconds.toFixed(1)} s`);
}
