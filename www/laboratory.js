// Network, samples and results: what is known and what is being computed. No DOM; the page listens to "change".
import { Engine, EngineError } from "./client.js";
import { NETWORK_METHODS, TYPICAL_SPEED, isQuick, resultKey, suggestedRegion } from "./plan.js";

/**
 * @typedef {import("./client.js").Picture} Picture
 * @typedef {import("./client.js").NetworkInfo} NetworkInfo
 * @typedef {import("./plan.js").Region} Region
 * @typedef {import("./plan.js").Options} Options
 * @typedef {{psnrY: number, ssimY: number}} Score
 * @typedef {{picture: Picture, seconds?: number, layerDb?: Float64Array, modelBytes?: number, score?: Score, complete: boolean}} Result
 * @typedef {{reference?: Picture, low: Picture}} Pair
 * @typedef {{name: string, picture: Picture, region: Region, chosen?: boolean}} Sample
 * @typedef {{weightBits: number, activationBits: number, minMaxRange: string, mode: string}} Settings
 */

/** The bit widths that a network dropped by the user is calibrated for at once. */
const WIDTHS = [2, 3, 4, 6, 8];

/** How `running` names a calibration. */
export const CALIBRATION = "calibration";

/** Pictures kept for going back to a setting. */
const CACHE_BYTES = 400e6;

/** Pairs of reference and input kept: as many as samples that are likely to be open. */
const PAIRS = 12;

/** Side of the patches that are calibrated on, in pixels of the network's input, as in the paper. */
const PATCH = 48;

/** Methods in the order in which results are wanted. */
const METHODS = ["reference", "bicubic", ...NETWORK_METHODS];

export class Laboratory extends EventTarget {
  /** @param {Promise<WebAssembly.Module>} module @param {() => Promise<Uint8Array[]>} sampleFiles @param {Settings} settings */
  constructor(module, sampleFiles, settings) {
    super();
    this.sampleFiles = sampleFiles;
    this.settings = settings;
    /** One worker a method, and one that decodes and scores. @type {Record<string, Engine>} */
    this.engines = Object.fromEntries([...NETWORK_METHODS, "images"].map((name) => [name, new Engine(module)]));
    /** @type {NetworkInfo | undefined} */
    this.info = undefined;
    /** What the calibration was made on, where it was made here. @type {"image" | "images" | "patches" | ""} */
    this.calibratedOn = "";
    /** Which calibration is in use: 0 is the one that came with the network. */
    this.calibration = 0;
    this.calibrations = 0;
    /** Networks and calibrations that are being loaded; nothing is computed meanwhile. */
    this.loading = 0;
    /** @type {Sample[]} */
    this.samples = [];
    this.active = 0;
    /** @type {Map<string, Result>} */
    this.results = new Map();
    /** @type {Map<string, Promise<Pair>>} */
    this.pairs = new Map();
    /** What each engine is computing. @type {Map<string, string>} */
    this.running = new Map();
    /** By engine, the run that `running` speaks of. @type {Map<string, Promise<void>>} */
    this.runs = new Map();
    /** @type {Map<string, number>} */
    this.progress = new Map();
    /** Sample and region that the figures' worker has seen. @type {Map<number, string>} */
    this.analyzed = new Map();
    /** The bits that dfsq-opt's worker has optimized the network for, beside those that came with it. @type {Set<string>} */
    this.optimized = new Set();
    /** Whether dfsq-opt is at it now. */
    this.optimizing = false;
    this.engines["dfsq-opt"].onStop = () => this.optimized.clear();
    this.engines.fp32.onStop = () => this.analyzed.clear();
    this.speed = TYPICAL_SPEED;
    this.run = 0;
  }

  /** @param {import("./client.js").Network} network */
  async setNetwork(network) {
    this.stop();
    await this.#load(network);
    this.calibratedOn = "";
    this.calibration = 0;
    for (const sample of this.samples) {
      if (!sample.chosen && !isQuick(sample.region, this.cost())) sample.region = suggestedRegion(sample.picture, this.cost());
    }
    this.#change();
  }

  /** Uses a calibration file for the present network. @param {Uint8Array} calibration @param {Laboratory["calibratedOn"]} madeOn */
  async setCalibration(calibration, madeOn = "") {
    const { network } = this.engines.fp32;
    if (!network) throw new EngineError("calibration", "load its network first");
    for (const name of NETWORK_METHODS) if (this.#isCalibrated(name) || name === "fp32") this.#stopEngine(name);
    await this.#load({ ...network, calibration });
    this.calibratedOn = madeOn;
    this.calibration = ++this.calibrations;
    this.#change();
  }

  /** @param {import("./client.js").Network} network */
  async #load(network) {
    this.loading++;
    try {
      // A network that cannot be used fails here, before anything has changed.
      this.info = await this.engines.fp32.load(network);
      this.analyzed.clear();
      for (const name of NETWORK_METHODS) if (name !== "fp32") this.engines[name].use(network);
    } finally {
      this.loading--;
    }
  }

  /** Decodes a file and makes it the active sample. @param {string} name @param {Uint8Array} bytes */
  async addImage(name, bytes) {
    const picture = await this.engines.images.call("decodeImage", [bytes]);
    const region = this.info ? suggestedRegion(picture, this.cost()) : { x: 0, y: 0, width: picture.width, height: picture.height };
    this.samples.push({ name, picture, region });
    this.active = this.samples.length - 1;
    this.#change();
  }

  /** @returns {Sample | undefined} */
  get sample() {
    return this.samples[this.active];
  }

  /** What time estimates are made of. @returns {import("./plan.js").Cost} */
  cost() {
    return { mode: this.settings.mode, scale: this.info?.convention.scale ?? 2, macsPerPixel: this.info?.macsPerPixel ?? 1e6, speed: this.speed };
  }

  /** @param {string} method @param {Sample} [sample] @returns {Result | undefined} */
  result(method, sample = this.sample) {
    return sample && this.results.get(this.#key(method, sample));
  }

  /** @param {string} method @param {Sample} sample */
  #key(method, sample) {
    const index = this.samples.indexOf(sample);
    const network = `${this.info?.sha256}/${this.#isCalibrated(method) ? this.calibration : 0}`;
    return `${index} ${resultKey(network, this.settings.mode, sample.region, this.options(method))}`;
  }

  /** Whether a method's results depend on the calibration. @param {string} method */
  #isCalibrated(method) {
    return method === "dfsq" || (method === "min-max" && this.settings.minMaxRange === "static");
  }

  /** @param {string} method @returns {Options} */
  options(method) {
    const { weightBits, activationBits, minMaxRange } = this.settings;
    return { method, weightBits, activationBits, minMaxRange };
  }

  /** Whether there is something to see that has not been computed. */
  get incomplete() {
    const benchmark = this.settings.mode === "benchmark";
    return METHODS.some((method) => (method !== "reference" || benchmark) && !this.result(method)?.complete);
  }

  /** Whether the figures' worker knows the active sample as it is now. */
  get activeIsAnalyzed() {
    return Boolean(this.sample) && this.analyzed.get(this.active) === this.#key("fp32", this.samples[this.active]);
  }

  /** Stops every run; what is done stays. */
  stop() {
    this.run++;
    for (const name of NETWORK_METHODS) if (this.running.has(name)) this.#stopEngine(name);
    this.#change();
  }

  /** @param {string} name */
  #stopEngine(name) {
    this.engines[name].stop();
    this.running.delete(name);
    this.progress.delete(name);
  }

  /** Computes what is missing for the active sample, then the distributions of the others. @returns {Promise<void>} */
  async compute() {
    const { sample, info } = this;
    if (!sample || !info || this.loading) return;
    const run = ++this.run;
    const current = () => run === this.run;
    for (const name of NETWORK_METHODS) {
      // What still runs for other settings is no longer wanted.
      const running = this.running.get(name);
      const idle = name === "fp32" && this.result("fp32") && this.activeIsAnalyzed;
      if (running && running !== this.#key(name, sample) && !idle) this.#stopEngine(name);
    }
    this.#change();
    const pair = await this.#pair(sample);
    if (!current()) return;
    if (pair.reference) this.#keep(this.#key("reference", sample), { picture: pair.reference, complete: true });
    await this.#bicubic(sample, pair);
    if (!current()) return;
    if (!info.calibratedWidths.length) {
      // What needs no points runs meanwhile; its errors are seen when `compute` comes to it again.
      if (!this.#isCalibrated("min-max")) this.#method("min-max", sample, pair).catch(() => {});
      await this.#calibrate([pair.low], "image");
      return this.compute();
    }
    await Promise.all(NETWORK_METHODS.map((method) => this.#method(method, sample, pair)));
    if (!current()) return;
    await this.#scoreAgainstFull(sample);
    for (const other of this.samples) {
      if (other === sample || !current()) continue;
      try {
        const otherPair = await this.#pair(other);
        if (current()) await this.#method("fp32", other, otherPair);
      } catch (error) {
        // What is wrong with another sample is said when that is looked at.
        if (!(error instanceof EngineError) || error.kind === "cancelled") throw error;
      }
    }
    if (current()) this.#change();
  }

  /** The network's input and, in benchmark mode, what it is scored against. @param {Sample} sample @returns {Promise<Pair>} */
  #pair(sample) {
    const { mode } = this.settings;
    const { x, y, width, height } = sample.region;
    const key = [this.samples.indexOf(sample), mode, x, y, width, height, this.cost().scale].join(" ");
    let pair = this.pairs.get(key);
    if (!pair) {
      const part = cut(sample.picture, sample.region);
      const make = mode === "benchmark" ? this.engines.images.call("benchmarkPair", [part, this.cost().scale]) : Promise.resolve({ low: part });
      pair = /** @type {Promise<Pair>} */ (make);
      this.pairs.set(key, pair);
      if (this.pairs.size > PAIRS) this.pairs.delete(this.pairs.keys().next().value ?? "");
      pair.catch(() => this.pairs.delete(key));
    }
    return pair;
  }

  /** @param {Sample} sample @param {Pair} pair */
  async #bicubic(sample, pair) {
    if (this.result("bicubic", sample)) return;
    const key = this.#key("bicubic", sample);
    const start = performance.now();
    const picture = await this.engines.images.call("bicubic", [pair.low, this.cost().scale]);
    const seconds = (performance.now() - start) / 1000;
    const score = pair.reference && (await this.#score(picture, pair.reference));
    this.#keep(key, { picture, seconds, modelBytes: 0, score, complete: Boolean(pair.reference) });
  }

  /** @param {string} method @param {Sample} sample @param {Pair} pair */
  async #method(method, sample, pair) {
    const index = this.samples.indexOf(sample);
    const key = this.#key(method, sample);
    const seen = method !== "fp32" || this.analyzed.get(index) === key;
    if (this.results.has(key) && seen) return;
    if (this.running.get(method) !== key) this.runs.set(method, this.#start(method, sample, pair, key));
    await this.runs.get(method);
  }

  /** @param {string} method @param {Sample} sample @param {Pair} pair @param {string} key */
  async #start(method, sample, pair, key) {
    const index = this.samples.indexOf(sample);
    this.running.set(method, key);
    this.progress.set(method, 0);
    this.#change();
    try {
      const onProgress = (/** @type {number} */ done) => {
        this.progress.set(method, done);
        this.dispatchEvent(new Event("progress"));
      };
      const engine = this.engines[method];
      const options = this.options(method);
      if (method === "dfsq-opt") await this.#optimize((done) => onProgress(0.8 * done));
      /** @type {import("./client.js").Upscaled} */
      const { picture, layerDb, modelBytes, seconds } =
        method === "fp32"
          ? await engine.call("analyze", [pair.low, index, sample.name], onProgress)
          : await engine.call("upscale", [pair.low, options], onProgress);
      if (method === "fp32") {
        this.analyzed.set(index, key);
        this.speed = (pair.low.width * pair.low.height * (this.info?.macsPerPixel ?? 0)) / seconds || this.speed;
      }
      const score = pair.reference && (await this.#score(picture, pair.reference));
      this.#keep(key, { picture, layerDb, modelBytes, seconds, score, complete: method === "fp32" || Boolean(pair.reference) });
    } finally {
      if (this.running.get(method) === key) {
        this.running.delete(method);
        this.progress.delete(method);
      }
      this.#change();
    }
  }

  /** In upscale mode the full-precision output takes the place of the reference. @param {Sample} sample */
  async #scoreAgainstFull(sample) {
    const full = this.result("fp32", sample);
    if (this.settings.mode !== "upscale" || !full) return;
    for (const method of METHODS) {
      if (method === "fp32" || method === "reference") continue;
      const result = this.result(method, sample);
      if (result && !result.complete) result.score = await this.#score(result.picture, full.picture);
      if (result) result.complete = true;
    }
    this.#change();
  }

  /** @param {Picture} picture @param {Picture} reference @returns {Promise<Score | undefined>} */
  async #score(picture, reference) {
    try {
      return await this.engines.images.call("score", [picture, reference, this.cost().scale]);
    } catch (error) {
      // Too small for the SSIM window: the picture is shown all the same.
      if (error instanceof EngineError && error.kind === "image-too-small") return undefined;
      throw error;
    }
  }

  /** Chooses the points anew, from the regions of all samples. */
  async calibrateOnSamples() {
    this.stop();
    const pairs = await Promise.all(this.samples.map((sample) => this.#pair(sample)));
    await this.#calibrate(pairs.map(({ low }) => low), "images");
  }

  /** Chooses the points anew, from patches of the bundled samples. */
  async calibrateOnPatches() {
    this.stop();
    await this.#calibrate(await this.#patches(), "patches");
  }

  /** Patches of the bundled samples, shrunk by the network's scale. */
  async #patches() {
    const { images } = this.engines;
    const patches = [];
    for (const file of await this.sampleFiles()) {
      const picture = await images.call("decodeImage", [file]);
      const { low } = /** @type {Pair} */ (await images.call("benchmarkPair", [picture, this.cost().scale]));
      patches.push(...tiles(low, PATCH).map((tile) => cut(low, tile)));
    }
    return patches;
  }

  /** Optimizes the network for the present bits, where that has not been done. @param {(done: number) => void} onProgress */
  async #optimize(onProgress) {
    const { weightBits, activationBits } = this.settings;
    const bits = `${weightBits}/${activationBits}`;
    const shipped = this.info?.optimizedWidths.some((pair) => pair.join("/") === bits);
    if (shipped || this.optimized.has(bits) || (weightBits === 32 && activationBits === 32)) return;
    this.optimizing = true;
    this.#change();
    try {
      // Every other one: all of them gain 0.04 dB and take twice as long.
      const patches = (await this.#patches()).filter((_, i) => i % 2 === 0);
      await this.engines["dfsq-opt"].call("optimize", [patches, weightBits, activationBits], onProgress);
      this.optimized.add(bits);
    } finally {
      this.optimizing = false;
    }
  }

  /** @param {Picture[]} pictures @param {Laboratory["calibratedOn"]} madeOn */
  async #calibrate(pictures, madeOn) {
    const job = `${CALIBRATION} ${this.run}`;
    this.running.set("fp32", job);
    this.progress.set("fp32", 0);
    this.#change();
    try {
      const onProgress = (/** @type {number} */ done) => {
        this.progress.set("fp32", done);
        this.dispatchEvent(new Event("progress"));
      };
      const file = await this.engines.fp32.call("calibrate", [pictures, undefined, WIDTHS], onProgress);
      if (this.running.get("fp32") !== job) throw new EngineError("cancelled", "cancelled");
      this.running.delete("fp32");
      await this.setCalibration(file, madeOn);
    } finally {
      if (this.running.get("fp32") === job) this.running.delete("fp32");
      if (!this.running.has("fp32")) this.progress.delete("fp32");
      this.#change();
    }
  }

  /** Remembers a result, and forgets the oldest where they take too much memory. @param {string} key @param {Result} result */
  #keep(key, result) {
    this.results.delete(key);
    this.results.set(key, result);
    let bytes = 0;
    for (const old of [...this.results.keys()].reverse()) {
      bytes += this.results.get(old)?.picture.rgba.byteLength ?? 0;
      if (bytes > CACHE_BYTES && old !== key) this.results.delete(old);
    }
    this.#change();
  }

  #change() {
    this.dispatchEvent(new Event("change"));
  }
}

/** @param {Picture} picture @param {Region} region @returns {Picture} */
function cut({ width: whole, rgba }, { x, y, width, height }) {
  const part = new Uint8Array(4 * width * height);
  for (let row = 0; row < height; row++) {
    const start = 4 * ((y + row) * whole + x);
    part.set(rgba.subarray(start, start + 4 * width), 4 * row * width);
  }
  return { width, height, rgba: part };
}

/** Squares that cover a picture evenly, three a row and column, overlapping. @param {Picture} picture @param {number} side @returns {Region[]} */
function tiles({ width, height }, side) {
  const [w, h] = [Math.min(side, width), Math.min(side, height)];
  const places = [0, 0.5, 1];
  return places.flatMap((y) => places.map((x) => ({ x: Math.round(x * (width - w)), y: Math.round(y * (height - h)), width: w, height: h })));
}
