// Network, samples and results: what is known and what is being computed. No DOM; the page listens to "change".
import { Calibrations, pictures } from "./calibrations.js";
import { Engine, EngineError } from "./client.js";
import { Optimizations } from "./optimizations.js";
import { Pairs } from "./pairs.js";
import { patches } from "./picture.js";
import { NETWORK_METHODS, TYPICAL_SPEED, isQuick, suggestedRegion } from "./plan.js";
import { Results } from "./results.js";
import { optimization, options, samePoints } from "./settings.js";

/**
 * @typedef {import("./client.js").Picture} Picture
 * @typedef {import("./client.js").NetworkInfo} NetworkInfo
 * @typedef {import("./plan.js").Region} Region
 * @typedef {import("./settings.js").Settings} Settings
 * @typedef {import("./results.js").Score} Score
 * @typedef {import("./results.js").Result} Result
 * @typedef {import("./pairs.js").Pair} Pair
 * @typedef {{name: string, picture: Picture, region: Region, chosen?: boolean}} Sample
 * @typedef {import("./calibrations.js").Source} Source
 * @typedef {{layer: number, weights: number, errors: number[]}} LayerErrors
 * @typedef {{progress: (done: number) => void, check: () => void}} Job `check` throws where it is no longer wanted
 */

/** The bit widths that points are chosen for at once. */
export const WIDTHS = [2, 3, 4, 6, 8];

/** How `running` names a calibration. */
export const CALIBRATION = "calibration";

/** How `running` names a measurement of layers. */
export const MEASUREMENT = "measurement";

/** How `running` names a study. */
export const STUDY = "study";

/** Side of the patches that are calibrated on, in pixels of the network's input, as in the paper. */
const PATCH = 48;

/** Side of the patches that a network is optimized on: all their positions count, so that few small ones do. */
const OPTIMIZED_PATCH = 32;

/** Side of the patches that layers are measured on, each layer at each width with a run of its own. */
const MEASURED_PATCH = 24;

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
    this.calibrations = new Calibrations();
    this.optimizations = new Optimizations();
    /** Networks and calibrations that are being loaded; nothing is computed meanwhile. */
    this.loading = 0;
    /** @type {Sample[]} */
    this.samples = [];
    this.active = 0;
    this.results = new Results();
    this.pairs = new Pairs(this.engines.images);
    /** What each engine is computing. @type {Map<string, string>} */
    this.running = new Map();
    /** By engine, the run that `running` speaks of. @type {Map<string, Promise<void>>} */
    this.runs = new Map();
    /** By engine, its job: one that was stopped is no longer there. @type {Map<string, Job>} */
    this.jobs = new Map();
    /** @type {Map<string, number>} */
    this.progress = new Map();
    /** Sample and region that the figures' worker has seen. @type {Map<number, string>} */
    this.analyzed = new Map();
    /** Whether dfsq-opt is being made now. */
    this.optimizing = false;
    /** What each layer costs at each of `WIDTHS`, where that has been measured. @type {LayerErrors[] | undefined} */
    this.layerErrors = undefined;
    /** How the samples that the figures' worker knows are normalized. */
    this.normalized = "";
    this.engines.fp32.onStop = () => this.analyzed.clear();
    this.speed = TYPICAL_SPEED;
    this.run = 0;
  }

  /** @param {import("./client.js").Network} network */
  async setNetwork(network) {
    this.stop();
    await this.#whileLoading(async () => {
      // A network that cannot be used fails here, before anything has changed.
      const info = await this.engines.fp32.load(network);
      this.#forgetNetwork(info, network);
      for (const name of NETWORK_METHODS) if (name !== "fp32") this.engines[name].use(network);
    });
    this.#fitRegions();
    this.#change();
  }

  /** @param {string} mode */
  setMode(mode) {
    this.settings.mode = mode;
    this.#fitRegions();
  }

  /** Makes regions smaller that would take too long now, where the user has not chosen them. */
  #fitRegions() {
    for (const sample of this.samples) {
      if (!sample.chosen && !isQuick(sample.region, this.cost())) sample.region = suggestedRegion(sample.picture, this.cost());
    }
  }

  /** @param {NetworkInfo} info @param {import("./client.js").Network} network */
  #forgetNetwork(info, { calibration, optimized }) {
    const another = this.info?.sha256 !== info.sha256;
    this.info = info;
    this.analyzed.clear();
    this.layerErrors = undefined;
    this.calibrations.reset(calibration, info.calibration);
    if (another) this.settings.layerBits = this.#knownLayers(this.settings.layerBits);
    this.optimizations.reset(info, optimized);
  }

  /** Without layers that this network does not have. @param {Settings["layerBits"]} layerBits */
  #knownLayers(layerBits) {
    const names = this.info?.layers.filter((layer) => layer.quantized).map((layer) => layer.name) ?? [];
    return Object.fromEntries(Object.entries(layerBits).filter(([name]) => names.includes(name)));
  }

  /** Uses a calibration file that the user brought. @param {Uint8Array} file */
  async loadCalibration(file) {
    const { network } = this.engines.fp32;
    if (!network) throw new EngineError("calibration", "load its network first");
    this.stop();
    await this.#whileLoading(async () => {
      await this.engines.fp32.call("loadCalibration", [file]);
      this.info = await this.engines.fp32.call("info", []);
      Object.assign(this.settings.points, this.info?.calibration, { seed: 0 });
      this.#useCalibration(file, "file");
      this.calibrations.wanted = "file";
    });
    this.#change();
  }

  /** Uses a file of optimized layers that the user brought. What DFSQ-opt shares with DFSQ must be as it is chosen. @param {Uint8Array} file */
  async loadOptimized(file) {
    const { network } = this.engines.fp32;
    if (!network) throw new EngineError("calibration", "load its network first");
    this.stop();
    await this.#whileLoading(async () => {
      const before = this.engines.fp32.network?.optimized;
      await this.engines.fp32.call("loadOptimized", [file]);
      const info = /** @type {NetworkInfo} */ (await this.engines.fp32.call("info", []));
      const { optimization: points, recipe: { weights, rounding } } = info;
      const chosen = { optSelection: points.selection, recipe: { weights, rounding } };
      if (!samePoints(points, optimization({ ...this.settings, ...chosen }).points)) {
        if (before) await this.engines.fp32.call("loadOptimized", [before]);
        throw new EngineError("calibration", "its points were made with other settings than those chosen under Ablations");
      }
      Object.assign(this.settings, chosen);
      this.optimizations.bring(this.settings, info, file);
      this.#showOptimized(file);
    });
    this.#change();
  }

  /** Takes over a calibration that the figures' worker already has. @param {Uint8Array} file @param {Source} source */
  #useCalibration(file, source) {
    const { fp32 } = this.engines;
    this.calibrations.use(source, this.settings.points, this.#ground(), file);
    for (const name of NETWORK_METHODS) {
      const engine = this.engines[name];
      if (engine.network && this.running.has(name) && this.#isCalibrated(name)) this.#stopEngine(name);
      if (engine.network) engine.update({ calibration: file }, engine === fp32 ? undefined : ["loadCalibration", [file]]);
    }
    const { granularity, mean, normalization } = this.settings.points;
    const normalized = [granularity, mean, normalization, normalization === "none" && this.calibrations.id].join();
    if (normalized !== this.normalized) this.analyzed.clear();
    this.normalized = normalized;
    this.layerErrors = undefined;
  }

  /** @param {() => Promise<void>} load */
  async #whileLoading(load) {
    this.loading++;
    try {
      await load();
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
    const { x, y, width, height } = sample.region;
    const made = method === "dfsq-opt" ? this.optimizations.id(this.settings) : this.#isCalibrated(method) ? this.calibrations.id : 0;
    return JSON.stringify([this.samples.indexOf(sample), x, y, width, height, this.settings.mode, this.info?.sha256, made, this.options(method)]);
  }

  /** Whether a method's results depend on the calibration. @param {string} method */
  #isCalibrated(method) {
    return method === "dfsq" || (method === "min-max" && this.settings.minMaxRange === "static");
  }

  /** @param {string} method */
  options(method) {
    return options(this.settings, method);
  }

  /** Bits of weights and activations of every layer. @returns {import("./settings.js").BitPair[]} */
  layerBits() {
    const { weightBits, activationBits, layerBits } = this.settings;
    return (this.info?.layers ?? []).map(({ name, quantized }) => (quantized ? (layerBits[name] ?? [weightBits, activationBits]) : [32, 32]));
  }

  /** The points and weights of DFSQ-opt as it is chosen now, where they are known. */
  get optimizedFile() {
    return this.optimizations.find(this.settings).file;
  }

  /** Whether there is something to see that has not been computed. */
  get incomplete() {
    if (this.sample && !this.activeIsAnalyzed) return true;
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
    this.jobs.delete(name);
    if (name === "dfsq-opt") this.optimizing = false;
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
      const idle = name === "fp32" && this.result("fp32") && this.activeIsAnalyzed && !running?.startsWith(CALIBRATION);
      if (running && running !== this.#key(name, sample) && !idle) this.#stopEngine(name);
    }
    this.#showOptimized(this.optimizedFile);
    this.#change();
    const pair = await this.#pair(sample);
    if (!current()) return;
    if (pair.reference) this.#keep(this.#key("reference", sample), { picture: pair.reference, complete: true });
    await this.#bicubic(sample, pair);
    if (!current()) return;
    if (!this.#isCalibratedForNow()) {
      // What needs no points runs meanwhile; its errors are seen when `compute` comes to it again.
      if (!this.#isCalibrated("min-max")) this.#method("min-max", sample, pair).catch(() => {});
      await this.#calibrate();
      return current() ? this.compute() : undefined;
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

  /** @param {Sample} sample */
  #pair(sample) {
    return this.pairs.get(this.samples.indexOf(sample), sample.picture, sample.region, this.cost());
  }

  /** @param {Sample} sample @param {Pair} pair */
  async #bicubic(sample, pair) {
    if (this.result("bicubic", sample)) return;
    const key = this.#key("bicubic", sample);
    const start = performance.now();
    const picture = await this.engines.images.call("bicubic", [pair.low, this.cost().scale]);
    const seconds = (performance.now() - start) / 1000;
    const score = pair.reference && (await this.#score(picture, pair.reference));
    this.#keep(key, { picture, seconds, score, complete: Boolean(pair.reference) });
  }

  /** @param {string} method @param {Sample} sample @param {Pair} pair */
  async #method(method, sample, pair) {
    const index = this.samples.indexOf(sample);
    const key = this.#key(method, sample);
    const seen = method !== "fp32" || this.analyzed.get(index) === key;
    if (this.results.get(key) && seen) return;
    if (this.running.get(method) !== key) this.runs.set(method, this.#start(method, sample, pair, key));
    await this.runs.get(method);
  }

  /** @param {string} method @param {Sample} sample @param {Pair} pair @param {string} key */
  async #start(method, sample, pair, key) {
    const index = this.samples.indexOf(sample);
    const engine = this.engines[method];
    const options = this.options(method);
    await this.#job(method, key, async (job) => {
      const onProgress = job.progress;
      if (method === "dfsq-opt") await this.#optimize(job);
      /** @type {import("./client.js").Upscaled} */
      const { picture, layerDb, costs, seconds } =
        method === "fp32"
          ? await engine.call("analyze", [pair.low, index, sample.name], onProgress)
          : await engine.call("upscale", [pair.low, options], onProgress);
      if (method === "fp32") {
        this.analyzed.set(index, key);
        this.speed = (pair.low.width * pair.low.height * (this.info?.macsPerPixel ?? 0)) / seconds || this.speed;
      }
      const score = pair.reference && (await this.#score(picture, pair.reference));
      this.#keep(key, { picture, layerDb, costs, seconds, score, complete: method === "fp32" || Boolean(pair.reference) });
    });
  }

  /** Does something in a method's worker, which is shown as running meanwhile. @param {string} name @param {string} what it is @param {(job: Job) => Promise<void>} work */
  async #job(name, what, work) {
    const wanted = () => this.jobs.get(name) === job;
    /** @type {Job} */
    const job = {
      progress: (done) => {
        if (!wanted()) return;
        this.progress.set(name, done);
        this.dispatchEvent(new Event("progress"));
      },
      check: () => {
        if (!wanted()) throw new EngineError("cancelled", "cancelled");
      },
    };
    this.jobs.set(name, job);
    this.running.set(name, what);
    this.progress.set(name, 0);
    this.#change();
    try {
      await work(job);
    } finally {
      if (wanted()) {
        this.jobs.delete(name);
        this.running.delete(name);
        this.progress.delete(name);
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

  /** Patches of the bundled samples. @param {number} side @param {number} step */
  async #patches(side, step) {
    return patches(this.engines.images, await this.sampleFiles(), this.cost().scale, side, step);
  }

  /** Optimizes the network for the present bits, where that has not been done. @param {Job} job */
  async #optimize(job) {
    const engine = this.engines["dfsq-opt"];
    const bits = this.layerBits().join();
    // These may change while it is at it.
    const settings = structuredClone(this.settings);
    const known = this.optimizations.find(settings);
    if (known.file && engine.network?.optimized !== known.file) engine.update({ optimized: known.file }, ["loadOptimized", [known.file]]);
    const full = this.layerBits().flat().every((width) => width === 32);
    if (full || known.bits.has(bits)) return this.#showOptimized(known.file);
    this.optimizing = true;
    this.#change();
    try {
      const patches = await this.#patches(OPTIMIZED_PATCH, 3);
      job.check();
      const { points, recipe } = optimization(settings);
      const file = await engine.call("optimize", [patches, "patches", options(settings, "dfsq-opt"), points, recipe], (done) => job.progress(0.8 * done));
      engine.update({ optimized: file });
      this.optimizations.extend(settings, bits, file);
      this.#showOptimized(file);
    } finally {
      if (this.jobs.get("dfsq-opt") === job) this.optimizing = false;
    }
  }

  /** Hands optimized layers to the figures' worker. @param {Uint8Array | undefined} file */
  #showOptimized(file) {
    const { fp32 } = this.engines;
    if (file && fp32.network && fp32.network.optimized !== file) fp32.update({ optimized: file }, ["loadOptimized", [file]]);
  }

  /** Whether the points in use are those that the settings ask for. */
  #isCalibratedForNow() {
    const { calibration, calibratedWidths = [] } = this.info ?? {};
    return samePoints(calibration, this.settings.points) && this.#widths().every((width) => calibratedWidths.includes(width));
  }

  /** The widths that points are chosen for: where every subset is tried, those in use only. */
  #widths() {
    if (this.settings.points.selection !== "exhaustive") return WIDTHS;
    return [...new Set(this.layerBits().map(([, activations]) => activations))].filter((width) => width !== 32);
  }

  /** Whether the network came with points for the present settings that are not in use. */
  get canUseShipped() {
    return this.calibrations.source !== "shipped" && Boolean(this.calibrations.find("shipped", this.settings.points, this.#ground()));
  }

  /** Chooses the points anew, on these pictures, or goes back to those that came with the network. @param {"images" | "patches" | "shipped"} source */
  calibrateOn(source) {
    this.stop();
    this.calibrations.wanted = source;
    return this.#calibrate();
  }

  /** What a calibration may depend on. */
  #ground() {
    return { mode: this.settings.mode, regions: this.samples.map(({ region }) => region), active: this.active, widths: this.#widths() };
  }

  /** Takes the calibration for the present settings from those that were made before, or makes it. */
  async #calibrate() {
    const { fp32 } = this.engines;
    const points = { ...this.settings.points };
    const source = this.calibrations.sourceFor(points, this.#ground());
    await this.#job("fp32", `${CALIBRATION} ${this.run}`, async ({ progress, check }) => {
      let file = this.calibrations.find(source, points, this.#ground());
      if (file) {
        await fp32.call("loadCalibration", [file]);
      } else {
        const ground = this.#ground();
        const low = await this.#calibrationPictures(source);
        check();
        file = /** @type {Uint8Array} */ (await fp32.call("calibrate", [low, pictures(source, ground), points, ground.widths], progress));
      }
      this.info = await fp32.call("info", []);
      if (!this.#isCalibratedForNow()) throw new Error("the points came out other than asked for");
      this.#useCalibration(file, source);
    });
  }

  /** @param {Source} source @returns {Promise<Picture[]>} */
  async #calibrationPictures(source) {
    if (source === "patches") return this.#patches(PATCH, 2);
    const samples = source === "image" && this.sample ? [this.sample] : this.samples;
    return (await Promise.all(samples.map((sample) => this.#pair(sample)))).map(({ low }) => low);
  }

  /** Measures what each layer costs at each width when it alone is quantized, with DFSQ. */
  async measureLayers() {
    this.stop();
    await this.#job("dfsq", MEASUREMENT, async ({ progress, check }) => {
      const patches = await this.#patches(MEASURED_PATCH, 9);
      check();
      const plain = { ...this.options("dfsq"), layerBits: {} };
      this.layerErrors = await this.engines.dfsq.call("layerErrors", [patches, plain, WIDTHS], progress);
    });
  }

  /** Gives every layer the bits that cause the least error in all, under an average. @param {number} averageBits */
  async assignBits(averageBits) {
    if (!this.layerErrors) return;
    const widths = await this.engines.images.call("assignBits", [this.layerErrors, WIDTHS, averageBits]);
    if (!widths.length) throw new EngineError("option", `no width is as low as ${averageBits} bits`);
    const names = this.info?.layers.map(({ name }) => name) ?? [];
    this.settings.layerBits = Object.fromEntries(this.layerErrors.map(({ layer }, i) => [names[layer], [widths[i], widths[i]]]));
    this.#change();
  }

  /** Compares the ways of choosing points of one channel of the active sample. @param {number} layer @param {number} channel @returns {Promise<import("./client.js").Study>} */
  async study(layer, channel) {
    /** @type {any} */
    let study;
    await this.#job("fp32", STUDY, async ({ progress, check }) => {
      const pair = this.sample && (await this.#pair(this.sample));
      check();
      study = await this.engines.fp32.call("study", [pair?.low, layer, channel, this.layerBits()[layer]?.[1]], progress);
    });
    return study;
  }

  /** @param {string} key @param {Result} result */
  #keep(key, result) {
    this.results.keep(key, result);
    this.#change();
  }

  #change() {
    this.dispatchEvent(new Event("change"));
  }
}
