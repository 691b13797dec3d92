// Has the workers do what is to be done (decide.js). No DOM.
//
// `update` compares what is wanted with what is known and what is under way. It may be called at any time, and is after every
// change; one pass over all workers follows, however often it was called.
import { cancelled, isCancelled } from "../engine/client.js";
import { decide } from "./decide.js";
import { analysisKey, resultKey } from "./keys.js";
import { variantOf } from "./library.js";
import { NETWORK_METHODS } from "./plan.js";
import { canonicalText } from "./settings.js";

/**
 * @typedef {import("./bench.js").Bench} Bench
 * @typedef {import("./samples.js").Sample} Sample
 * @typedef {import("./results.js").Result} Result
 * @typedef {import("./tasks.js").Task} Task
 * @typedef {import("../engine/client.js").Assets} Assets
 */

export class Scheduler {
  #bench;
  /** Whether the user stopped everything, until something is wanted again. */
  #halted = false;
  /** Whether a pass over the workers is to come. */
  #due = false;
  /** Waits until changes rest. @type {ReturnType<typeof setTimeout> | undefined} */
  #resting;
  /** By what was wanted, why it cannot be had. @type {Map<string, Error>} */
  #failures = new Map();
  /** Keys of the distributions that the full-precision worker has. @type {Set<string>} */
  #analyzed = new Set();
  /** Keys of results whose distance from full precision is being measured. @type {Set<string>} */
  #comparing = new Set();

  #rest;

  /** @param {Bench} bench @param {number} rest milliseconds without another change after which what changes often is followed */
  constructor(bench, rest) {
    this.#bench = bench;
    this.#rest = rest;
    bench.engines.fp32.onForget = () => {
      this.#analyzed.clear();
      this.update();
    };
  }

  /** Wants everything again, also what was stopped or has failed. */
  resume() {
    this.#failures.clear();
    this.changed();
  }

  /** Goes on after something was changed. */
  changed() {
    clearTimeout(this.#resting);
    this.#resting = undefined;
    this.#halted = false;
    this.update();
  }

  /** As `changed`, for what changes many times in a row: goes on once it rests. */
  changing() {
    clearTimeout(this.#resting);
    this.#resting = setTimeout(() => this.changed(), this.#rest);
  }

  /** Stops everything; what is done stays. */
  stop() {
    clearTimeout(this.#resting);
    this.#resting = undefined;
    this.#halted = true;
    for (const name of this.#bench.tasks.names) this.end(name);
    this.#bench.changed();
  }

  /** Ends what is done for the image that is looked at; what goes on in the background goes on. */
  endWishes() {
    for (const name of this.#bench.tasks.names) if (!this.#bench.tasks.get(name)?.background) this.end(name);
  }

  /** Ends what a worker does. @param {string} name */
  end(name) {
    this.#bench.tasks.drop(name);
    // That worker decodes and downloads too, and is soon done.
    if (name !== "images") this.#bench.engines[name].stop();
  }

  update() {
    if (this.#due) return;
    this.#due = true;
    queueMicrotask(() => {
      this.#due = false;
      this.#pass();
    });
  }

  #pass() {
    const { samples, library, loading } = this.#bench;
    const sample = samples.current;
    if (!sample || !library.network || loading || this.#halted || this.#resting) return;
    const first = this.#firstOnes(sample);
    const others = new Map(samples.list.filter((other) => other !== sample && !this.isAnalyzed(other)).map((other) => [this.#wish("fp32", other), other]));
    const next = [...others.keys()].find((what) => !this.#failures.has(what));
    const posts = [...NETWORK_METHODS, "images"].map((name) => ({
      name,
      wish: this.#wish(name, sample),
      standing: this.#standing(name, sample),
      turn: name === "images" || first.includes(name),
      task: this.#bench.tasks.get(name),
      next: name === "fp32" ? next : undefined,
    }));
    for (const action of decide(posts)) {
      if (action.act === "end") this.end(action.name);
      else this.#start(action.name, action.what, others.get(action.what) ?? sample, action.act === "start in background");
    }
    this.compareWithFull(sample);
  }

  /** What the user looks at; when that is there, or cannot be had, the others too. @param {Sample} sample */
  #firstOnes(sample) {
    const shown = NETWORK_METHODS.filter((method) => this.#bench.shown.includes(method));
    return shown.some((method) => this.#standing(method, sample) === "missing") ? shown : NETWORK_METHODS;
  }

  /** Whether what is wanted of a worker is there. @param {string} name @param {Sample} sample @returns {import("./decide.js").Standing} */
  #standing(name, sample) {
    if (this.#failures.has(this.#wish(name, sample))) return "failed";
    if (name === "images") return this.#hasSimple(sample) ? "known" : "missing";
    return this.result(name, sample) && (name !== "fp32" || this.isAnalyzed(sample)) ? "known" : "missing";
  }

  /** @param {string} name @param {string} what @param {Sample} sample @param {boolean} background */
  #start(name, what, sample, background) {
    this.#bench.tasks
      .run(name, what, background ? "analyzing" : "running", (task) => this.#compute(name, sample, task))
      .catch((error) => {
        if (!isCancelled(error)) this.#failures.set(what, error);
      })
      .finally(() => {
        this.update();
        this.#bench.changed();
      });
  }

  /** What a worker is to compute, as far as it is chosen, or with one width. @param {string} name @param {Sample} sample @param {number} [width] */
  #wish(name, sample, width) {
    const { library, settings, making } = this.#bench;
    const { points, recipe } = settings.values;
    const { granularity, mean, normalization } = points;
    /** @type {unknown[]} */
    const chosen = [name, this.#bench.inputKey(sample), library.info?.identity, settings.options(name, width)];
    if (this.usesCalibration(name)) chosen.push(points, making.ground(making.widths(width)));
    if (name === "fp32") chosen.push(granularity, mean, normalization, normalization === "none" && making.ground());
    if (name === "dfsq-opt") chosen.push(settings.optimalPoints, recipe);
    return canonicalText(chosen);
  }

  /** What is to be called after waiting for anything: throws where the task, or what it was begun for, is no longer wanted. @param {string} name @param {Sample} sample @param {Task} task @param {number} [width] */
  #checking(name, sample, task, width) {
    const wish = this.#wish(name, sample, width);
    return () => {
      task.check();
      if (this.#wish(name, sample, width) !== wish) throw cancelled();
    };
  }

  /** Whether what a method computes depends on the calibration. @param {string} method */
  usesCalibration(method) {
    const { minMaxRange, pointSource, weights } = this.#bench.settings.values;
    // The universal set of subset weights is that of the points.
    if (method === "dfsq") return pointSource === "calibrated" || weights === "subset";
    return method === "min-max" && minMaxRange === "static";
  }

  /** Why the present setting cannot be had from a method. @param {string} name */
  failure(name) {
    const sample = this.#bench.samples.current;
    return sample && this.#failures.get(this.#wish(name, sample));
  }

  /** With the bits that are chosen, or of one width. @param {string} method @param {Sample | undefined} [sample] @param {number} [width] @returns {Result | undefined} */
  result(method, sample = this.#bench.samples.current, width = undefined) {
    return sample && this.#bench.results.get(this.#key(method, sample, width));
  }

  /** How far a method's result is from full precision. @param {string} method @param {Sample | undefined} [sample] @param {number} [width] */
  distance(method, sample = this.#bench.samples.current, width = undefined) {
    return sample && this.#bench.results.distance(this.#key(method, sample, width), this.#key("fp32", sample));
  }

  /** Against the reference; where there is none, against full precision. @param {string} method @param {Sample | undefined} [sample] @param {number} [width] */
  score(method, sample = this.#bench.samples.current, width = undefined) {
    const upscales = this.#bench.settings.values.mode === "upscale";
    return upscales ? this.distance(method, sample, width)?.score : sample && this.#bench.results.facts(this.#key(method, sample, width))?.score;
  }

  /** Whether that was measured, though pictures may have been too small for a score. @param {string} method @param {Sample} sample @param {number} width */
  isScored(method, sample, width) {
    const upscales = this.#bench.settings.values.mode === "upscale";
    return Boolean(upscales ? this.distance(method, sample, width) : this.#bench.results.facts(this.#key(method, sample, width)));
  }

  /** Keys of what is shown of the current sample. @returns {Set<string | undefined>} */
  #shownKeys() {
    const sample = this.#bench.samples.current;
    return new Set(sample && ["reference", "bicubic", ...NETWORK_METHODS].map((method) => this.#key(method, sample)));
  }

  /** @param {string} key @param {Result} result */
  #keep(key, result) {
    this.#bench.results.keep(key, result, this.#shownKeys());
  }

  /** Nothing where what the method needs has not been made. @param {string} method @param {Sample} sample @param {number} [width] */
  #key(method, sample, width) {
    const { library, making } = this.#bench;
    const options = this.#bench.settings.options(method, width);
    const key = (/** @type {{sha256: string} | undefined} */ made) => library.info && resultKey(this.#bench.inputKey(sample), library.info, options, made);
    if (method === "dfsq-opt") {
      const bits = this.#bench.layerBits(width);
      if (bits.flat().every((width) => width === 32)) return key(undefined);
      const variant = variantOf(making.optimized, bits);
      return variant && key(variant);
    }
    if (!this.usesCalibration(method)) return key(undefined);
    const calibration = making.calibrationOf(making.widths(width));
    return calibration && key(calibration);
  }

  /** What the distributions of a sample are kept under. @param {Sample} sample */
  analysisKey(sample) {
    const { library, settings, making } = this.#bench;
    return library.info && analysisKey(this.#bench.inputKey(sample), library.info, settings.values.points, making.calibration);
  }

  /** Whether the full-precision worker knows a sample's distributions. @param {Sample | undefined} sample */
  isAnalyzed(sample) {
    const key = sample && this.analysisKey(sample);
    return key !== undefined && this.#analyzed.has(key);
  }

  /** Whether there is something to see that has not been computed, and can be. */
  get incomplete() {
    const sample = this.#bench.samples.current;
    if (!sample) return false;
    const known = (/** @type {string} */ method) => this.result(method) && (method === "fp32" || this.distance(method) || !this.result("fp32"));
    const missing = (/** @type {string} */ method) => !known(method) && !this.failure(method === "bicubic" ? "images" : method);
    return (!this.isAnalyzed(sample) && !this.failure("fp32")) || ["bicubic", ...NETWORK_METHODS].some(missing);
  }

  /** @param {string} name @param {Sample} sample @param {Task} task */
  async #compute(name, sample, task) {
    if (name === "images") return this.#computeSimple(sample, task);
    return name === "fp32" ? this.#analyze(sample, task) : this.quantize(name, sample, task);
  }

  /** What a quantized method needs, made where it is not there. @param {string} name @param {Task} task @param {number} [width] @returns {Promise<Assets>} */
  async assets(name, task, width) {
    const { library, making } = this.#bench;
    /** @type {Assets} */
    const assets = { network: library.network };
    if (this.usesCalibration(name)) assets.calibration = await making.calibrationFor(name, task, making.widths(width));
    if (name === "dfsq-opt") assets.optimized = await making.optimizedFor(task, width);
    return assets;
  }

  /** Runs a quantized method with the bits that are chosen, or of one width. @param {string} name @param {Sample} sample @param {Task} task @param {number} [width] */
  async quantize(name, sample, task, width) {
    const check = this.#checking(name, sample, task, width);
    const pair = await this.#bench.pair(sample);
    check();
    const { engines, settings } = this.#bench;
    const options = settings.options(name, width);
    const assets = await this.assets(name, task, width);
    check();
    // Known before it runs: settings may change meanwhile.
    const key = this.#key(name, sample, width);
    if (!key) throw new Error("what was made for this method is not what was asked for");
    const result = await engines[name].call("upscale", [pair.low, pair.reference, options], { assets, onProgress: (done) => task.progress(done) });
    this.#keep(key, result);
  }

  /** @param {Sample} sample @param {Task} task */
  async #analyze(sample, task) {
    const check = this.#checking("fp32", sample, task);
    const { making, engines, library, settings } = this.#bench;
    const { points } = settings.values;
    const pair = await this.#bench.pair(sample);
    check();
    /** @type {Assets} */
    const assets = { network: library.network };
    if (points.normalization === "none") assets.calibration = await making.calibrationFor("fp32", task);
    check();
    const [key, analysis] = [this.#key("fp32", sample), this.analysisKey(sample)];
    if (!key || !analysis) throw cancelled();
    await this.#forgetOthers(analysis);
    check();
    const result = await engines.fp32.call("analyze", [pair.low, pair.reference, analysis, points], { assets, onProgress: (done) => task.progress(done) });
    this.#analyzed.add(analysis);
    this.#bench.measured((pair.low.width * pair.low.height) / result.seconds);
    this.#keep(key, result);
  }

  /** Has the worker forget the distributions of what is no longer looked at. @param {string} next what it will know */
  async #forgetOthers(next) {
    const open = this.#bench.samples.list.map((sample) => this.analysisKey(sample));
    const keys = [...this.#analyzed].filter((key) => open.includes(key) && key !== next);
    if (keys.length === this.#analyzed.size) return;
    this.#analyzed = new Set(keys);
    await this.#bench.engines.fp32.call("keepSamples", [keys], { assets: { network: this.#bench.library.network } });
  }

  /** Whether what no network computes is there. @param {Sample} sample */
  #hasSimple(sample) {
    const benchmark = this.#bench.settings.values.mode === "benchmark";
    return Boolean(this.result("bicubic", sample) && (!benchmark || this.result("reference", sample)));
  }

  /** The reference, and interpolation. @param {Sample} sample @param {Task} task */
  async #computeSimple(sample, task) {
    const check = this.#checking("images", sample, task);
    const { engines } = this.#bench;
    const { low, reference } = await this.#bench.pair(sample);
    check();
    const [key, own] = [this.#key("bicubic", sample), this.#key("reference", sample)];
    const { scale } = this.#bench.cost();
    if (reference && own) this.#keep(own, { picture: reference });
    this.#bench.changed();
    const start = performance.now();
    const picture = await engines.images.call("bicubic", [low, scale]);
    const seconds = (performance.now() - start) / 1000;
    const score = reference && (await engines.images.call("score", [picture, reference, scale]));
    if (key) this.#keep(key, { picture, seconds, score });
  }

  /** Whether results are being measured. */
  get isComparing() {
    return this.#comparing.size > 0;
  }

  /** Measures how far the results that are there are from full precision. @param {Sample} sample @param {number} [width] */
  async compareWithFull(sample, width) {
    const { engines, results } = this.#bench;
    const [full, fullKey] = [this.result("fp32", sample), this.#key("fp32", sample)];
    if (!full || !fullKey) return;
    const { scale } = this.#bench.cost();
    // All before it waits: settings may change meanwhile.
    const pairs = ["bicubic", "min-max", "dfsq", "dfsq-opt"].flatMap((method) => {
      const [key, result] = [this.#key(method, sample, width), this.result(method, sample, width)];
      const due = key && result && !results.distance(key, fullKey) && !this.#comparing.has(key);
      return due ? [{ key, result, wish: this.#wish(method === "bicubic" ? "images" : method, sample) }] : [];
    });
    for (const { key } of pairs) this.#comparing.add(key);
    for (const { key, result, wish } of pairs) {
      try {
        results.keepDistance(key, fullKey, { score: await engines.images.call("score", [result.picture, full.picture, scale]) });
      } catch (error) {
        if (isCancelled(error)) continue;
        // It would fail again.
        results.keepDistance(key, fullKey, { score: undefined });
        this.#failures.set(wish, /** @type {Error} */ (error));
      } finally {
        this.#comparing.delete(key);
        this.#bench.changed();
      }
    }
  }
}
