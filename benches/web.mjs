// Our engine beside tract and onnxruntime-web, in turn, in one headless Chromium and on one thread each, and beside onnxruntime-web
// on two.
// ./build.sh bench web [NETWORK:ROWSxCOLUMNS[:BITS] ...], 4 bits where none are named; NETWORK is a bundled one, or the path of an
// ONNX file whose values are in 0..1, with points from the very picture
// BEFORE=CHECKOUT: beside another version too, which was built in that checkout.
import { cpus } from "node:os";
import { basename } from "node:path";

import { product } from "../tests/e2e/onnx.js";
import { blankPage, root } from "./blank.mjs";

const CASES = process.argv.slice(2);
if (!CASES.length) {
  for (const network of ["edsr_x2", "rdn_x2", "edsr_x4", "rdn_x4"]) {
    for (const size of ["64x64", "61x83", "128x128", "256x256"]) CASES.push(`${network}:${size}`);
  }
}
/** Rounds, in each of which everything runs once: at least, and at most where they are short. */
const ROUNDS = { least: 5, most: 25, seconds: 15 };
const METHODS = ["fp32", "dfsq", "dfsq-opt", "min-max"];
/** Most bits that every bundled network comes optimized for. */
const OPTIMIZED = 4;
/** A checkout of another version. */
const { BEFORE = "" } = process.env;
const { page, version, close } = await blankPage({ ort: process.env.ORT ?? "", before: `${BEFORE}/www`, now: `${root}www` });
const cell = (/** @type {string | number} */ text) => `${text}`.padStart(10);
console.log(`${cpus()[0]?.model}; Chromium ${version}, onnxruntime-web ${process.env.ORT_VERSION}; one thread each, medians of ${ROUNDS.least} to ${ROUNDS.most} runs in ms`);
console.log(`(bests in brackets), and of the ratios of the runs of one round; GFLOP/s count direct convolution's operations.`);
console.log(`4 bits where no others are named, but for full precision.\n`);
const versions = BEFORE ? METHODS.map((method) => `${method}/was`) : [];
console.log(["network".padEnd(18), ...["ort", "ort 2", "tract", ...METHODS, "fp32/ort", "fp32/ort 2", "dfsq/fp32", "opt/fp32", "mm/fp32", "GFLOP/s", ...versions].map((head) => cell(head).padStart(head.length + 2))].join(""));
try {
  const ceiling = await page.evaluate(multiply, { network: Array.from(product(576)), runs: 10 });
  console.log(`(the product of matrices alone: ${ceiling.toFixed(0)} GFLOP/s at best; 3x3 convolutions take a quarter of their multiplications)\n`);
  for (const name of CASES) {
    const [, network, height, width, bits = 4] = name.match(/^(.+):(\d+)x(\d+)(?::(\d))?$/) ?? [];
    const isFile = network.endsWith(".onnx");
    const { times, operations } = await page.evaluate(measure, { network, isFile, height: Number(height), width: Number(width), bits: Number(bits), rounds: ROUNDS, before: Boolean(BEFORE), methods: METHODS.filter((method) => method !== "dfsq-opt" || (!isFile && Number(bits) <= OPTIMIZED)) });
    const ratio = (/** @type {string} */ a, /** @type {string} */ b) => times[a]?.map((time, round) => time / (times[b]?.[round] ?? NaN));
    const shown = ["ort", "ort 2", "tract", ...METHODS].map((what) => (times[what] ? `${median(times[what]).toFixed(0)} (${Math.min(...times[what]).toFixed(0)})` : "-"));
    const pairs = [ratio("fp32", "ort"), ratio("fp32", "ort 2"), ...METHODS.slice(1).map((method) => ratio(method, "fp32"))];
    const since = versions.map((head, at) => ratio(METHODS[at] ?? "", head));
    const [beside, between] = [pairs, since].map((all) => all.map((pair) => (pair ? median(pair).toFixed(2) : "-")));
    const ratios = [...(beside ?? []), (operations / median(times.fp32 ?? []) / 1e6).toFixed(0)];
    const short = isFile ? `${basename(network, ".onnx")}:${height}x${width}` : name;
    console.log([short.padEnd(18), ...[...shown, ...ratios].map(cell), ...(between ?? []).map((text, at) => cell(text).padStart((versions[at]?.length ?? 0) + 2))].join(""));
  }
} finally {
  await close();
}

/** @param {number[]} list */
function median(list) {
  const sorted = list.toSorted((a, b) => a - b);
  return ((sorted[(list.length - 1) >> 1] ?? NaN) + (sorted[list.length >> 1] ?? NaN)) / 2;
}

/**
 * In the page: the most operations a second that the matrix kernel reaches.
 * @param {{network: number[], runs: number}} options @returns {Promise<number>} GFLOP/s
 */
async function multiply({ network, runs }) {
  const dfsq = await import("/now/pkg/dfsq.js");
  await dfsq.default({ module_or_path: "/now/pkg/dfsq_bg.wasm" });
  const session = new dfsq.Session(Uint8Array.from(network), undefined);
  const [width, height] = [120, 64];
  const picture = { width, height, rgba: new Uint8Array(4 * width * height).fill(99) };
  let best = Infinity;
  for (let run = 0; run < runs; run++) {
    const start = performance.now();
    session.upscale(picture, undefined, { ...dfsq.defaults().options, method: "fp32" }, () => true);
    best = Math.min(best, performance.now() - start);
  }
  return (2 * session.info().macsPerPixel * width * height) / best / 1e6;
}

/**
 * In the page: runs everything in turn.
 * @param {{network: string, isFile: boolean, height: number, width: number, bits: number, rounds: typeof ROUNDS, methods: string[], before: boolean}} options
 * @returns {Promise<{times: Record<string, number[]>, operations: number}>} milliseconds, and operations of a run
 */
async function measure({ network, isFile, height, width, bits, rounds, methods, before }) {
  // Of so many threads; another address is another copy of it, with threads of its own.
  const runtime = async (numThreads) => {
    const ort = await import(`/ort/ort.wasm.bundle.min.mjs?${numThreads}`);
    Object.assign(ort.env.wasm, { numThreads, wasmPaths: "/ort/" });
    return ort;
  };
  const ort = await runtime(1);
  const level = (_, i) => (i * 7919) % 256;
  const picture = { width, height, rgba: new Uint8Array(4 * width * height).map((_, i) => (i % 4 === 3 ? 255 : level(_, i))) };
  const most = isFile ? 255 : 1;
  const values = new Float32Array(3 * width * height).map((_, i) => level(_, i) / most);
  /** Of a version: its files' bytes, and how its sessions upscale. */
  const version = async (folder) => {
    const dfsq = await import(`/${folder}/pkg/dfsq-tract.js`);
    await dfsq.default({ module_or_path: `/${folder}/pkg/dfsq-tract_bg.wasm` });
    const load = async (address) => new Uint8Array(await (await fetch(address)).arrayBuffer());
    const endings = isFile ? [] : ["onnx", "calibration", "optimized"];
    const [bytes = await load(`/file/${encodeURIComponent(network)}`), calibration, optimized] = await Promise.all(endings.map((ending) => load(`/${folder}/onnx/${network}.${ending}`)));
    const open = (tract = false) => {
      const stated = isFile ? { input_range: "0..1", output_range: "0..1" } : undefined;
      const session = new dfsq.Session(bytes, stated, tract);
      if (isFile) {
        session.calibrate([picture], dfsq.defaults().points, [bits], () => true);
        return session;
      }
      session.loadCalibration(calibration);
      session.loadOptimized(optimized);
      return session;
    };
    const upscale = (session, method) => session.upscale(picture, undefined, { ...dfsq.defaults().options, method, weightBits: bits, activationBits: bits }, () => true);
    return { bytes, open, upscale };
  };
  const { bytes, open, upscale } = await version("now");
  const was = before ? await version("before") : undefined;
  const peer = async (of) => {
    const session = await of.InferenceSession.create(bytes, { executionProviders: ["wasm"] });
    const input = new of.Tensor("float32", values, [1, 3, height, width]);
    return () => session.run({ [session.inputNames[0]]: input });
  };
  const [session, tract] = [open(), open(true)];
  const work = { ort: await peer(ort), "ort 2": await peer(await runtime(2)), tract: () => upscale(tract, "fp32") };
  for (const method of methods) {
    // What was prepared for the last method is kept, no more.
    const own = open();
    work[method] = () => upscale(own, method);
    const theirs = was?.open();
    if (theirs) work[`${method}/was`] = () => was.upscale(theirs, method);
  }
  const times = Object.fromEntries(Object.keys(work).map((name) => [name, []]));
  // The first runs prepare weights and plans.
  for (const once of Object.values(work)) await once();
  const begin = performance.now();
  for (let round = 0; round < rounds.least || (round < rounds.most && performance.now() - begin < rounds.seconds * 1e3); round++) {
    for (const [name, once] of Object.entries(work)) {
      const start = performance.now();
      await once();
      times[name].push(performance.now() - start);
    }
  }
  return { times, operations: 2 * session.info().macsPerPixel * width * height };
}
