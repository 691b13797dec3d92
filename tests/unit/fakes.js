// Workers and engines that answer as a test tells them: at once, late, wrongly or never.
import { Bench, makeEngines } from "../../www/model/bench.js";
import { EngineError } from "../../www/engine/client.js";
import { Settings } from "../../www/model/settings.js";

/** A worker that remembers what it was sent. */
export class FakeWorker {
  sent = [];
  terminated = false;

  postMessage(message) {
    this.sent.push(message);
  }

  terminate() {
    this.terminated = true;
  }

  /** Answers the last message of this method. */
  answer(method, answer) {
    const { id } = this.sent.findLast((message) => message.method === method);
    this.onmessage({ data: { id, ...answer } });
  }

  get methods() {
    return this.sent.map(({ method }) => method);
  }
}

/** Calls of all engines, and how many there may be before it must be quiet. */
let calls = 0;
const MOST = 3000;

/** Lets everything go on that waits for nothing but promises. Fails where calls keep coming. */
export const settle = async () => {
  const first = calls;
  for (let before = -1; before !== calls; ) {
    before = calls;
    for (let i = 0; i < 3; i++) await new Promise((resolve) => setImmediate(resolve));
    // What waits until it rests.
    await new Promise((resolve) => setTimeout(resolve));
    if (calls - first > MOST) throw new Error("it does not settle: calls keep coming");
  }
};

const POINTS = { wordSets: 4, granularity: "channel", normalization: "sample", mean: "auto", selection: "kmeans", preset: "reference", restarts: 0, seed: 0 };
const RECIPE = { weights: "subset", rounding: "compensated", damping: 0.01, refits: 2, channelBits: "equal" };

/** What Rust tells. */
export const DEFAULTS = {
  options: { method: "dfsq", weightBits: 4, activationBits: 4, layerBits: {}, minMaxRange: "dynamic", rangeEstimator: "min-max", rangeGranularity: "layer", pointSource: "calibrated", weights: "uniform", denormalizationBits: 32 },
  points: POINTS,
  optimalPoints: { ...POINTS, selection: "exact" },
  recipe: RECIPE,
  bitWidths: [32, 8, 6, 4, 3, 2],
  layerBitWidths: [32, 8, 7, 6, 5, 4, 3, 2, 1],
  program: "dfsq 0.0.0",
};

const pixels = (side) => ({ width: side, height: side, rgba: new Uint8Array(4 * side * side) });

/** The layers of the fake networks: one is quantized. */
export const bitsOf = (weights, activations) => [[32, 32], [weights, activations]];

/** A variant of optimized layers; `made` stands for its content. */
export const variant = (bits, made) => ({ bits: bitsOf(bits, bits), sha256: `variant ${made}` });

/**
 * An engine whose answers are made from what it is sent. A file stands for what it says: `{sha256, settings, ...}`.
 */
class FakeEngine {
  calls = [];
  onForget = () => {};
  busy = false;
  /** What its session holds: gone when another network is loaded. */
  #network;
  #samples = new Set();
  /** By method, what a test wants instead of the usual answer. @type {Record<string, Function>} */
  instead = {};
  #generation = 0;

  async call(method, args = [], { assets = {}, onProgress } = {}) {
    // What calls without end would never let a test fail.
    if (++calls > 100 * MOST) return new Promise(() => {});
    this.calls.push({ method, args, assets });
    const generation = this.#generation;
    if (assets.network && assets.network !== this.#network) {
      this.#samples.clear();
      this.#network = assets.network;
      this.onForget();
    }
    if (method === "keepSamples" && !this.#network) throw new TypeError("there is no session");
    const answer = await (this.instead[method] ?? usual[method])(args, assets, onProgress);
    if (generation !== this.#generation) throw new EngineError("cancelled", "cancelled");
    if (method === "analyze") this.#samples.add(args[2]);
    if (method === "keepSamples") this.#samples = new Set([...this.#samples].filter((key) => args[0].includes(key)));
    return answer;
  }

  /** Whether the session holds a sample's distributions. */
  holds(key) {
    return this.#samples.has(key);
  }

  /** What it does is rejected, and what it knew is gone. */
  stop() {
    this.#generation++;
    this.#network = undefined;
    this.#samples.clear();
    this.onForget();
  }

  count(method) {
    return this.calls.filter((call) => call.method === method).length;
  }

  last(method) {
    return this.calls.findLast((call) => call.method === method);
  }
}

const RANGE = { low: 0, high: 1, mean: [0, 0, 0], deviation: [1, 1, 1] };

const info = ({ network, calibration, optimized }) => ({
  sha256: network.sha256,
  identity: JSON.stringify([network.sha256, network.stated, network.tract]),
  convention: { scale: 2, assumed: [], input: RANGE, output: RANGE },
  rule: "general",
  scope: network.stated?.quantization_scope ?? "paper",
  layers: [{ name: "first", quantized: false }, { name: "second", quantized: true, inputs: 3 }],
  macsPerPixel: 1000,
  bytesPerPixel: 100,
  calibration: calibration && calibration.file,
  optimization: optimized?.file ?? { settings: DEFAULTS.optimalPoints, recipe: RECIPE, variants: [] },
});

const run = ({ calibration, optimized }) => ({
  picture: { ...pixels(8), of: [calibration?.file.sha256, optimized?.file.variants.map(({ sha256 }) => sha256)] },
  score: { psnrY: 30, ssimY: 0.9 },
  layerDb: new Float64Array(2),
  costs: { totalBytes: 1 },
  seconds: 1,
});

/** @type {Record<string, Function>} */
const usual = {
  info: (_, assets) => info(assets),
  decodeImage: ([name]) => ({ ...pixels(32), sha256: `picture ${name}` }),
  benchmarkPair: ([part]) => ({ reference: part, low: pixels(part.width / 2) }),
  bicubic: ([low]) => pixels(2 * low.width),
  score: () => ({ psnrY: 40, ssimY: 0.95 }),
  keepSamples: () => undefined,
  analyze: (_, assets) => run(assets),
  upscale: (_, assets) => run(assets),
  calibrate([pictures, settings, widths], { network }) {
    const file = { sha256: `points of ${pictures.length} ${JSON.stringify(settings)} ${widths}`, settings, widths, images: pictures.length };
    return { file, info: info({ network, calibration: { file } }) };
  },
  optimize([, options, settings, recipe], { network, optimized }) {
    const known = optimized?.file.variants ?? [];
    const bits = options.layerBits?.second ?? [options.weightBits, options.activationBits];
    const made = { bits: bitsOf(...bits), sha256: `variant ${bits} ${JSON.stringify(recipe)}` };
    const file = { settings, recipe, variants: [...known, made] };
    return { file, info: info({ network, optimized: { file } }) };
  },
};

/** A bench of fake engines. */
export function makeBench(hash = "") {
  const engines = makeEngines(() => new FakeEngine());
  const settings = new Settings(DEFAULTS, new URLSearchParams(hash || "weights=4&activations=4"));
  const bench = new Bench(engines, settings, async () => ["sample file"], 0);
  bench.listed = ["A", "B"].map((id) => ({ id, name: `Network ${id}`, sha256: id }));
  return bench;
}

/** A calibration as it comes with a network, for the published settings. */
export const shipped = (sha256) => ({ sha256, settings: POINTS, widths: [2, 3, 4, 6, 8], images: 32 });

/** Optimized layers as they come with a network. */
export const optimized = (variants, recipe = RECIPE) => ({ settings: DEFAULTS.optimalPoints, recipe, variants });

/** A network's files. */
export const network = (sha256, variants = [variant(4, sha256)]) => ({
  network: { sha256 },
  calibration: shipped(`points of ${sha256}`),
  optimized: optimized(variants),
});
