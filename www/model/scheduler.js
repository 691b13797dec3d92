// Has the workers do what is to be done (decide.js). No DOM.
//
// `update` compares what is wanted with what is known and what is under way. It may be called at any time, and is after every
// change; one pass over all workers follows, however often it was called.
import { cancelled, isCancelled } from "../engine/client.js";
import { hasDistance } from "./contenders.js";
import { decide } from "./decide.js";
import { analysisKey, resultKey } from "./keys.js";
import { variantOf } from "./library.js";
import { BESIDE, NETWORK_METHODS } from "./plan.js";
import { canonicalText } from "./same.js";

/**
 * @typedef {import("./bench.js").Bench} Bench
 * @typedef {import("./samples.js").Sample} Sample
 * @typedef {import("./results.js").Result} Result
 * @typedef {import("./tasks.js").Task} Task
 * @typedef {import("../engine/client.js").Assets} Assets
 * @typedef {import("./chosen.js").Chosen} Chosen
 * @typedef {import("./contenders.js").Contender} Contender
 * @typedef {{sample: Sample, method: string, chosen?: Chosen, phase: string}} Job
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
    const { contenders, samples, library, loading } = this.#bench;
    const sample = samples.current;
    if (!sample || !library.network || loading || this.#halted || this.#resting) return;
    const first = this.#firstOnes(sample);
    const others = samples.list.filter((other) => other !== sample && !this.isAnalyzed(other));
    /** By worker, what it may do when what is looked at is there. @type {Map<string, Map<string, Job>>} */
    const jobs = new Map([["fp32", new Map(others.map((other) => [this.#wish("fp32", other), { sample: other, method: "fp32", phase: "analyzing" }]))]]);
    for (const { method, chosen } of contenders.kept) {
      const worker = chosen.worker(method);
      // Full precision of the network in use is run anyway.
      if (worker === "fp32" || this.#result(method, sample, chosen)) continue;
      jobs.set(worker, (jobs.get(worker) ?? new Map()).set(this.#wish(method, sample, chosen), { sample, method, chosen, phase: "keeping" }));
    }
    const next = (/** @type {string} */ name) => [...(jobs.get(name)?.keys() ?? [])].find((what) => !this.#failures.has(what));
    const posts = [...NETWORK_METHODS, "images"].map((name) => ({
      name,
      wish: this.#wish(name, sample),
      standing: this.#standing(name, sample),
      turn: name === "images" || first.includes(name),
      task: this.#bench.tasks.get(name),
      next: next(name),
    }));
    // Its memory is wanted elsewhere.
    if (!contenders.libraries.length) this.end(BESIDE);
    const beside = next(BESIDE);
    const isQuiet = NETWORK_METHODS.every((method) => this.#standing(method, sample) !== "missing");
    posts.push({ name: BESIDE, wish: beside ?? "", standing: beside ? "missing" : "known", turn: isQuiet, task: this.#bench.tasks.get(BESIDE), next: undefined });
    for (const action of decide(posts)) {
      if (action.act === "end") this.end(action.name);
      else this.#start(action.name, action.what, jobs.get(action.name)?.get(action.what) ?? { sample, method: action.name, phase: "running" });
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

  /** @param {string} name @param {string} what @param {Job} job */
  #start(name, what, { sample, method, chosen, phase }) {
    this.#bench.tasks
      .run(name, what, phase, (task) => this.#compute(method, sample, task, chosen))
      .catch((error) => {
        if (!isCancelled(error)) this.#failures.set(what, error);
      })
      .finally(() => {
        this.update();
        this.#bench.changed();
      });
  }

  /** What a worker is to compute. @param {string} name @param {Sample} sample @param {Chosen} [chosen] */
  #wish(name, sample, chosen = this.#bench.settings.chosen) {
    const { making } = this.#bench;
    const { points, recipe } = chosen.values;
    const { granularity, mean, normalization } = points;
    /** @type {unknown[]} */
    const parts = [name, this.#bench.inputKey(sample), this.#bench.libraryOf(chosen).info?.identity, chosen.options(name)];
    if (chosen.usesCalibration(name)) parts.push(points, making.ground(chosen));
    if (name === "fp32") parts.push(granularity, mean, normalization, normalization === "none" && making.ground(chosen));
    if (name === "dfsq-opt") parts.push(chosen.optimalPoints, recipe);
    return canonicalText(parts);
  }

  /** What is to be called after waiting for anything: throws where the task, or what it was begun for, is no longer wanted. @param {string} name @param {Sample} sample @param {Task} task @param {Chosen} [chosen] */
  #checking(name, sample, task, chosen) {
    const wish = this.#wish(name, sample, chosen);
    return () => {
      task.check();
      if (this.#wish(name, sample, chosen) !== wish) throw cancelled();
    };
  }

  /** Why something cannot be had as it is chosen, or as it is kept. @param {string} id of a contender, or "images" */
  failure(id) {
    const sample = this.#bench.samples.current;
    const { method, chosen } = this.#bench.contenders.get(id);
    return sample && this.#failures.get(this.#wish(method, sample, chosen));
  }

  /** The share done of what is computed for a contender now. @param {string} id */
  doneOf(id) {
    const { contenders, samples, tasks } = this.#bench;
    const { method, chosen } = contenders.get(id);
    const task = tasks.get(chosen.worker(method));
    if (!task || !samples.current) return 0;
    const isOwn = task.phase === "keeping" || contenders.isKept(id) ? task.what === this.#wish(method, samples.current, chosen) : true;
    return isOwn ? task.done : 0;
  }

  /** What a contender's result is kept under, as it is chosen or kept, or as it would be if this were chosen. @param {string} id @param {Sample | undefined} [sample] @param {Chosen} [instead] */
  keyOf(id, sample = this.#bench.samples.current, instead = undefined) {
    const { method, chosen } = this.#bench.contenders.get(id);
    return sample && this.#key(method, sample, instead ?? chosen);
  }

  /** @param {string} method @param {Sample} sample @param {Chosen} [chosen] */
  #result(method, sample, chosen) {
    return this.#bench.results.get(this.#key(method, sample, chosen));
  }

  /** @param {string} id @param {Sample | undefined} [sample] @param {Chosen} [instead] @returns {Result | undefined} */
  result(id, sample = this.#bench.samples.current, instead = undefined) {
    return this.#bench.results.get(this.keyOf(id, sample, instead));
  }

  /** How far a result is from full precision. @param {string} id @param {Sample | undefined} [sample] @param {Chosen} [instead] */
  distance(id, sample = this.#bench.samples.current, instead = undefined) {
    return sample && this.#bench.results.distance(this.keyOf(id, sample, instead), this.#key("fp32", sample));
  }

  /** Against the reference; where there is none, against full precision. @param {string} id @param {Sample | undefined} [sample] @param {Chosen} [instead] */
  score(id, sample = this.#bench.samples.current, instead = undefined) {
    const upscales = this.#bench.settings.values.mode === "upscale";
    return upscales ? this.distance(id, sample, instead)?.score : this.#bench.results.facts(this.keyOf(id, sample, instead))?.score;
  }

  /** Whether that was measured, though pictures may have been too small for a score. @param {string} id @param {Sample} sample @param {Chosen} instead */
  isScored(id, sample, instead) {
    const upscales = this.#bench.settings.values.mode === "upscale";
    return Boolean(upscales ? this.distance(id, sample, instead) : this.#bench.results.facts(this.keyOf(id, sample, instead)));
  }

  /** Keys of what is shown of the current sample. @returns {Set<string | undefined>} */
  #shownKeys() {
    const sample = this.#bench.samples.current;
    return new Set(sample && this.#bench.contenders.ids.map((id) => this.keyOf(id, sample)));
  }

  /** @param {string} key @param {Result} result */
  #keep(key, result) {
    this.#bench.results.keep(key, result, this.#shownKeys());
  }

  /** Nothing where what the method needs has not been made. @param {string} method @param {Sample} sample @param {Chosen} [chosen] */
  #key(method, sample, chosen = this.#bench.settings.chosen) {
    const { making } = this.#bench;
    const { info } = this.#bench.libraryOf(chosen);
    const options = chosen.options(method);
    const key = (/** @type {{sha256: string} | undefined} */ made) => info && resultKey(this.#bench.inputKey(sample), info, options, made);
    if (method === "dfsq-opt") {
      const bits = this.#bench.layerBits(chosen);
      if (bits.flat().every((width) => width === 32)) return key(undefined);
      const variant = variantOf(making.optimized(chosen), bits);
      return variant && key(variant);
    }
    if (!chosen.usesCalibration(method)) return key(undefined);
    const calibration = making.calibrationOf(chosen);
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
    const { contenders } = this.#bench;
    const isMeasured = (/** @type {string} */ id) => !hasDistance(contenders.get(id)) || this.distance(id) || !this.result("fp32");
    const missing = (/** @type {string} */ id) => !(this.result(id) && isMeasured(id)) && !this.failure(id === "bicubic" ? "images" : id);
    return (!this.isAnalyzed(sample) && !this.failure("fp32")) || contenders.ids.some((id) => id !== "reference" && missing(id));
  }

  /** @param {string} method or "images" @param {Sample} sample @param {Task} task @param {Chosen} [chosen] */
  async #compute(method, sample, task, chosen) {
    if (method === "images") return this.#computeSimple(sample, task);
    return method === "fp32" && !chosen?.library ? this.#analyze(sample, task) : this.run(method, sample, task, chosen);
  }

  /** What a method needs, made where it is not there. @param {string} method @param {Task} task @param {Chosen} [chosen] @returns {Promise<Assets>} */
  async assets(method, task, chosen = this.#bench.settings.chosen) {
    const { making } = this.#bench;
    const worker = chosen.worker(method);
    /** @type {Assets} */
    const assets = { network: this.#bench.libraryOf(chosen).network };
    if (chosen.usesCalibration(method)) assets.calibration = await making.calibrationFor(worker, task, chosen);
    if (method === "dfsq-opt") assets.optimized = await making.optimizedFor(worker, task, chosen);
    return assets;
  }

  /** Runs a method as it is chosen, or as it is told. @param {string} method @param {Sample} sample @param {Task} task @param {Chosen} [chosen] */
  async run(method, sample, task, chosen) {
    const check = this.#checking(method, sample, task, chosen);
    const pair = await this.#bench.pair(sample);
    check();
    const { engines, settings } = this.#bench;
    const options = (chosen ?? settings.chosen).options(method);
    const assets = await this.assets(method, task, chosen);
    check();
    // Known before it runs: settings may change meanwhile.
    const key = this.#key(method, sample, chosen);
    if (!key) throw new Error("what was made for this method is not what was asked for");
    const result = await engines[chosen?.worker(method) ?? method].call("upscale", [pair.low, pair.reference, options], { assets, onProgress: (done) => task.progress(done) });
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

  /** Measures how far the results that are there are from full precision. @param {Sample} sample @param {Chosen} [instead] */
  async compareWithFull(sample, instead) {
    const { contenders, engines, results } = this.#bench;
    const [full, fullKey] = [this.result("fp32", sample), this.#key("fp32", sample)];
    if (!full || !fullKey) return;
    const { scale } = this.#bench.cost();
    // All before it waits: settings may change meanwhile.
    const compared = contenders.ids.map((id) => contenders.get(id)).filter(hasDistance);
    const pairs = compared.flatMap(({ method, chosen }) => {
      const key = this.#key(method, sample, instead ?? chosen);
      const result = results.get(key);
      const due = key && result && !results.distance(key, fullKey) && !this.#comparing.has(key);
      // Two contenders may be the same at the moment.
      if (due) this.#comparing.add(key);
      return due ? [{ key, result, wish: this.#wish(method === "bicubic" ? "images" : method, sample, chosen) }] : [];
    });
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
