// Decides what each worker is to do now. No DOM.
//
// `update` compares what is wanted with what is known and what is under way: it stops what is no longer wanted and starts
// what is missing, each method by itself. It may be called at any time, and is after every change.
import { cancelled, isCancelled } from "../engine/client.js";
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
  /** By what was wanted, why it cannot be had. @type {Map<string, Error>} */
  #failures = new Map();
  /** Keys of the distributions that the full-precision worker has. @type {Set<string>} */
  #analyzed = new Set();
  /** Keys of results whose distance from full precision is being measured. @type {Set<string>} */
  #comparing = new Set();

  /** @param {Bench} bench */
  constructor(bench) {
    this.#bench = bench;
    bench.engines.fp32.onStop = () => {
      this.#analyzed.clear();
      queueMicrotask(() => this.update());
    };
  }

  /** Wants everything again, also what was stopped or has failed. */
  resume() {
    this.#halted = false;
    this.#failures.clear();
    this.update();
  }

  /** Goes on after something was changed. */
  changed() {
    this.#halted = false;
    this.update();
  }

  /** Stops everything; what is done stays. */
  stop() {
    this.#halted = true;
    for (const name of this.#bench.tasks.names) this.end(name);
    this.#bench.changed();
  }

  /** Ends what a worker does. @param {string} name */
  end(name) {
    this.#bench.tasks.drop(name);
    // That worker decodes and downloads too, and is soon done.
    if (name !== "images") this.#bench.engines[name].stop();
  }

  update() {
    const { samples, library, loading } = this.#bench;
    const sample = samples.current;
    if (!sample || !library.network || loading || this.#halted) return;
    for (const method of this.#firstOnes(sample)) this.#bring(method, sample);
    this.#bring("images", sample);
    this.compareWithFull(sample);
  }

  /** What the user looks at; when that is there, or cannot be had, the others too. @param {Sample} sample */
  #firstOnes(sample) {
    const shown = NETWORK_METHODS.filter((method) => this.#bench.shown.includes(method));
    const waits = shown.some((method) => !this.result(method, sample) && !this.failure(method));
    return waits ? shown : NETWORK_METHODS;
  }

  /** Has a worker do what is wanted of it now. @param {string} name @param {Sample} sample */
  #bring(name, sample) {
    const wish = this.#wish(name, sample);
    const { tasks } = this.#bench;
    const task = tasks.get(name);
    if (task?.what === wish) return;
    const done = name === "images" ? this.#hasSimple(sample) : Boolean(this.result(name, sample)) && (name !== "fp32" || this.isAnalyzed(sample));
    // What is done in the background, or was asked for by itself, goes on where nothing else is wanted.
    if (task && done && task.phase !== "running") return;
    if (task) this.end(name);
    if (!done && !this.#failures.has(wish)) return this.#start(name, wish, "running", (own) => this.#compute(name, sample, own));
    if (name === "fp32") this.#analyzeOthers(sample);
  }

  /** @param {string} name @param {string} what @param {string} phase @param {(task: Task) => Promise<void>} work */
  #start(name, what, phase, work) {
    const { tasks } = this.#bench;
    tasks
      .run(name, what, phase, work)
      .catch((error) => {
        if (!isCancelled(error)) this.#failures.set(what, error);
      })
      .finally(() => {
        this.update();
        this.#bench.changed();
      });
  }

  /** What a worker is to compute, as far as it is chosen. @param {string} name @param {Sample} sample */
  #wish(name, sample) {
    const { library, settings, making } = this.#bench;
    const { points, recipe } = settings.values;
    const { granularity, mean, normalization } = points;
    /** @type {unknown[]} */
    const chosen = [name, this.#bench.inputKey(sample), library.info?.identity, settings.options(name)];
    if (this.usesCalibration(name)) chosen.push(points, making.ground());
    if (name === "fp32") chosen.push(granularity, mean, normalization, normalization === "none" && making.ground());
    if (name === "dfsq-opt") chosen.push(settings.optimalPoints, recipe);
    return canonicalText(chosen);
  }

  /** Whether what a method computes depends on the calibration. @param {string} method */
  usesCalibration(method) {
    return method === "dfsq" || (method === "min-max" && this.#bench.settings.values.minMaxRange === "static");
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
    return upscales ? this.distance(method, sample, width)?.score : this.result(method, sample, width)?.score;
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
    if (name === "images") return this.#computeSimple(sample, await this.#bench.pair(sample));
    return name === "fp32" ? this.#analyze(sample, task) : this.quantize(name, sample, task);
  }

  /** Runs a quantized method with the bits that are chosen, or of one width. @param {string} name @param {Sample} sample @param {Task} task @param {number} [width] */
  async quantize(name, sample, task, width) {
    const pair = await this.#bench.pair(sample);
    task.check();
    const { making, engines, library, settings } = this.#bench;
    const options = settings.options(name, width);
    /** @type {Assets} */
    const assets = { network: library.network };
    if (this.usesCalibration(name)) assets.calibration = await making.calibrationFor(name, task, making.widths(width));
    if (name === "dfsq-opt") assets.optimized = await making.optimizedFor(task, width);
    task.check();
    // Known before it runs: settings may change meanwhile.
    const key = this.#key(name, sample, width);
    if (!key) throw new Error("what was made for this method is not what was asked for");
    const result = await engines[name].call("upscale", [pair.low, pair.reference, options], { assets, onProgress: (done) => task.progress(done) });
    this.#bench.results.keep(key, result);
  }

  /** @param {Sample} sample @param {Task} task */
  async #analyze(sample, task) {
    const { making, engines, library, settings } = this.#bench;
    const { points } = settings.values;
    const pair = await this.#bench.pair(sample);
    /** @type {Assets} */
    const assets = { network: library.network };
    if (points.normalization === "none") assets.calibration = await making.calibrationFor("fp32", task);
    task.check();
    const [key, analysis] = [this.#key("fp32", sample), this.analysisKey(sample)];
    if (!key || !analysis) throw cancelled();
    await this.#forgetOthers(analysis);
    const result = await engines.fp32.call("analyze", [pair.low, pair.reference, analysis, points], { assets, onProgress: (done) => task.progress(done) });
    this.#analyzed.add(analysis);
    this.#bench.measured((pair.low.width * pair.low.height) / result.seconds);
    this.#bench.results.keep(key, result);
  }

  /** Has the worker forget the distributions of what is no longer looked at. @param {string} next what it will know */
  async #forgetOthers(next) {
    const open = this.#bench.samples.list.map((sample) => this.analysisKey(sample));
    const keys = [...this.#analyzed].filter((key) => open.includes(key) && key !== next);
    if (keys.length === this.#analyzed.size) return;
    this.#analyzed = new Set(keys);
    await this.#bench.engines.fp32.call("keepSamples", [keys]);
  }

  /** The distributions of the other samples, one after another. @param {Sample} sample */
  #analyzeOthers(sample) {
    const { samples, tasks } = this.#bench;
    if (tasks.get("fp32")) return;
    const what = (/** @type {Sample} */ other) => `distributions ${this.#wish("fp32", other)}`;
    const next = samples.list.find((other) => other !== sample && !this.isAnalyzed(other) && !this.#failures.has(what(other)));
    if (next) this.#start("fp32", what(next), "analyzing", (task) => this.#analyze(next, task));
  }

  /** Whether what no network computes is there. @param {Sample} sample */
  #hasSimple(sample) {
    const benchmark = this.#bench.settings.values.mode === "benchmark";
    return Boolean(this.result("bicubic", sample) && (!benchmark || this.result("reference", sample)));
  }

  /** The reference, and interpolation. @param {Sample} sample @param {import("./pairs.js").Pair} pair */
  async #computeSimple(sample, { low, reference }) {
    const { engines, results } = this.#bench;
    const [key, own] = [this.#key("bicubic", sample), this.#key("reference", sample)];
    const { scale } = this.#bench.cost();
    if (reference && own) results.keep(own, { picture: reference });
    this.#bench.changed();
    const start = performance.now();
    const picture = await engines.images.call("bicubic", [low, scale]);
    const seconds = (performance.now() - start) / 1000;
    const score = reference && (await engines.images.call("score", [picture, reference, scale]));
    if (key) results.keep(key, { picture, seconds, score });
  }

  /** Measures how far the results that are there are from full precision. @param {Sample} sample @param {number} [width] */
  async compareWithFull(sample, width) {
    const { engines, results } = this.#bench;
    const [full, fullKey] = [this.result("fp32", sample), this.#key("fp32", sample)];
    if (!full || !fullKey) return;
    for (const method of ["bicubic", "min-max", "dfsq", "dfsq-opt"]) {
      const [key, result] = [this.#key(method, sample, width), this.result(method, sample, width)];
      if (!key || !result || results.distance(key, fullKey) || this.#comparing.has(key)) continue;
      this.#comparing.add(key);
      try {
        results.keepDistance(key, fullKey, { score: await engines.images.call("score", [result.picture, full.picture, this.#bench.cost().scale]) });
      } catch (error) {
        if (isCancelled(error)) continue;
        // It would fail again.
        results.keepDistance(key, fullKey, { score: undefined });
        this.#failures.set(this.#wish(method, sample), /** @type {Error} */ (error));
      } finally {
        this.#comparing.delete(key);
        this.#bench.changed();
      }
    }
  }
}
