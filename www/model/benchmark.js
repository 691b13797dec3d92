// A folder of images as a benchmark: every method at every width, and what is kept as it is, in the background. No DOM.
import { cancelled, isCancelled } from "../engine/client.js";
import { bitsInShort } from "./contenders.js";
import { fits, QUANTIZED_METHODS, wholeOf } from "./plan.js";
import { provenance } from "./provenance.js";
import { canonicalText } from "./same.js";

/**
 * @typedef {import("./bench.js").Bench} Bench
 * @typedef {import("./folder.js").Listed} Listed
 * @typedef {import("../pkg/dfsq.js").Picture} Picture
 * @typedef {import("../pkg/dfsq.js").Score} Score
 * @typedef {{method: string, bits: number | string | undefined, chosen?: import("./chosen.js").Chosen, key: string}} Setting `bits` of weights and activations, where the method has some; in words, with all that is chosen, where it is kept
 * @typedef {{score: Score, toFull: Score | undefined}} Measured
 * @typedef {{picture: Picture, score?: Score}} Scored without a score where it is too small for one
 * @typedef {{name: string, high?: File, low?: File, measured: Map<string, Measured>, error?: string}} Image without files where only its results are there, from an earlier visit
 * @typedef {{images: {name: string, measured: Map<string, Measured>, error?: string}[], widths: number[], of: {key: string, made: any}}} Results
 * @typedef {Setting & {psnrY: number, ssimY: number, toFull: number}} Row means over the images that are done
 */

/** How what a worker does for it begins. */
const TASK = "benchmark ";

/** A method as it is chosen, at one width. @param {string} method @param {number} [bits] @returns {Setting} */
const plain = (method, bits) => ({ method, bits, key: `${method} ${bits}` });

/** @param {number[]} values */
const mean = (values) => values.reduce((sum, value) => sum + value, 0) / values.length;

export class Benchmark {
  /** @type {Image[]} */
  images = [];
  /** Bits to run the methods at. */
  widths = [4, 3, 2];
  /** @type {"idle" | "running" | "paused" | "done"} */
  state = "idle";
  /** What the results are of, and where exported files say so. @type {{key: string, made: ReturnType<typeof provenance>} | undefined} */
  #of;
  /** The run under way: one that was paused does not go on where another has begun. */
  #run = {};
  /** Milliseconds spent, and on how many images. */
  #spent = { time: 0, images: 0 };
  #bench;

  /** @param {Bench} bench */
  constructor(bench) {
    this.#bench = bench;
  }

  /** @returns {Setting[]} */
  get settings() {
    return [plain("bicubic"), plain("fp32"), ...QUANTIZED_METHODS.flatMap((method) => this.#settingsOf(method))];
  }

  /** @param {string} method @returns {Setting[]} */
  #settingsOf(method) {
    const { contenders } = this.#bench;
    const kept = contenders.kept.filter((one) => one.method === method && !one.chosen.library);
    return [
      ...this.#widthsOf(method).map((bits) => plain(method, bits)),
      ...kept.map(({ chosen }) => ({ method, bits: bitsInShort(chosen.values), chosen, key: contenders.linkOf(method, chosen) })),
    ];
  }

  /** Of those that are ticked, what a method has. @param {string} method */
  #widthsOf(method) {
    return this.widths.filter((width) => this.#bench.offers(method, this.#bench.settings.chosen.at(width)));
  }

  /** What results depend on. */
  #wanted() {
    const { library, making, settings } = this.#bench;
    const { points, optSelection, recipe } = settings.values;
    const { source, pictures } = making.ground();
    // At whatever bits.
    const options = QUANTIZED_METHODS.map((method) => settings.chosen.at(0).options(method));
    return canonicalText([library.info?.identity, points, optSelection, recipe, options, source, pictures]);
  }

  /** Whether the results are of another network or method than is chosen now. */
  get isStale() {
    return this.images.some(({ measured, error }) => measured.size || error) && this.#of?.key !== this.#wanted();
  }

  /** What an exported file says of itself. */
  get made() {
    return this.#of?.made ?? provenance(this.#bench);
  }

  /** Images that have been run at one setting at least. */
  get measuredImages() {
    return this.images.filter(({ measured }) => measured.size).length;
  }

  /** To be kept for the next visit; nothing where there are none. @returns {Results | undefined} */
  get results() {
    const images = this.images.map(({ name, measured, error }) => ({ name, measured, error }));
    return this.#of && images.length ? { images, widths: this.widths, of: this.#of } : undefined;
  }

  /** The files of the images, to be kept apart from the results. @returns {Listed[]} */
  get files() {
    return this.images.flatMap(({ name, high, low }) => (high ? [{ name, high, low }] : []));
  }

  /** Takes over an earlier visit: its files, with what came out where that is of them; else what came out, to be read. @param {Results | undefined} results @param {Listed[]} [files] */
  restore(results, files = []) {
    const { images = [], widths = this.widths, of } = results ?? {};
    const ofThese = images.length === files.length && images.every(({ name }, index) => name === files[index].name);
    if (ofThese) this.images = images.map((image, index) => ({ ...image, ...files[index] }));
    else this.images = results ? images : files.map((file) => ({ ...file, measured: new Map() }));
    this.widths = widths;
    this.#of = of;
    this.state = this.done < this.images.length ? "paused" : "done";
    this.#bench.changed();
  }

  /** Whether something that is wanted of the images is not there yet. */
  get isMissing() {
    return this.done < this.images.length;
  }

  /** Whether there are files to run, and not only results. */
  get canRun() {
    return this.images.some(({ high }) => high);
  }

  /** @param {Listed[]} listed */
  open(listed) {
    this.pause();
    this.images = listed.map((image) => ({ ...image, measured: new Map() }));
    this.state = "idle";
    this.#bench.changed();
  }

  /** @param {number[]} widths */
  choose(widths) {
    this.widths = widths;
    if (this.state === "done") this.state = "paused";
    this.#bench.changed();
  }

  /** Whether an image has all that is wanted, or cannot have it. @param {Image} image */
  #isDone({ measured, error }) {
    return error !== undefined || this.settings.every(({ key }) => measured.has(key));
  }

  get done() {
    return this.images.filter((image) => this.#isDone(image)).length;
  }

  /** Likely seconds to the end; nothing before the first image is done. */
  get secondsLeft() {
    const { time, images } = this.#spent;
    return images ? ((time / images) * (this.images.length - this.done)) / 1000 : undefined;
  }

  /** Runs what is missing, image by image, until the end or a pause. */
  async run() {
    const { library } = this.#bench;
    if (!library.network || !this.canRun || this.state === "running") return;
    if (this.isStale) this.images = this.images.map(({ error: _, ...image }) => ({ ...image, measured: new Map() }));
    this.#of = { key: this.#wanted(), made: provenance(this.#bench) };
    this.#spent = { time: 0, images: 0 };
    this.state = "running";
    const own = (this.#run = {});
    const goesOn = () => this.state === "running" && this.#run === own;
    this.#bench.changed();
    for (const image of this.images) {
      const start = performance.now();
      if (this.#isDone(image)) continue;
      await this.#measure(image, goesOn);
      if (!goesOn()) return;
      this.#spent = { time: this.#spent.time + performance.now() - start, images: this.#spent.images + 1 };
      this.#bench.changed();
    }
    this.state = "done";
    this.#bench.changed();
  }

  /** Whether a task is the benchmark's. @param {string} name */
  #owns(name) {
    return Boolean(this.#bench.tasks.get(name)?.what.startsWith(TASK));
  }

  /** Whether a worker is at it. */
  get isAtWork() {
    return this.#bench.tasks.names.some((name) => this.#owns(name));
  }

  /** Stops; what is done stays. */
  pause() {
    if (this.state !== "running") return;
    this.state = "paused";
    const { tasks, scheduler } = this.#bench;
    for (const name of tasks.names) if (this.#owns(name)) scheduler.end(name);
    this.#bench.changed();
  }

  /** Until no worker does anything else. @param {() => boolean} goesOn */
  async #idle(goesOn) {
    while (goesOn() && (this.#bench.tasks.size || this.#bench.loading)) {
      await new Promise((resolve) => this.#bench.addEventListener("change", resolve, { once: true }));
    }
  }

  /** @param {Image} image @param {() => boolean} goesOn */
  async #measure(image, goesOn) {
    /** @type {Map<string, Scored>} */
    const pictures = new Map();
    while (goesOn() && !this.#isDone(image)) {
      try {
        // What the user looks at goes first.
        await this.#idle(goesOn);
        // Of other settings it would be another benchmark.
        if (goesOn() && this.#of?.key !== this.#wanted()) this.pause();
        if (!goesOn()) return;
        const pair = await this.#pair(image);
        // Full precision is run again for what is compared with it.
        const isKnown = (/** @type {Setting} */ { method, key }) => method !== "fp32" && image.measured.has(key);
        const run = async (/** @type {Setting} */ setting) => {
          if (goesOn() && !isKnown(setting)) await this.#runOne(setting, pair, pictures);
        };
        const quantized = QUANTIZED_METHODS.map(async (method) => {
          for (const setting of this.#settingsOf(method)) await run(setting);
        });
        const ended = await Promise.allSettled([run(plain("fp32")), this.#enlarge(pair, pictures), ...quantized]);
        const failed = ended.flatMap((end) => (end.status === "rejected" ? [end.reason] : []));
        const error = failed.find((reason) => !isCancelled(reason)) ?? failed[0];
        if (error) throw error;
        if (goesOn() && this.#of?.key === this.#wanted()) await this.#keep(image, pictures);
      } catch (error) {
        // A worker that was taken for something else is had again later.
        if (!isCancelled(error) && goesOn()) image.error = error instanceof Error ? error.message : String(error);
      }
    }
  }

  /** @param {Image} image @returns {Promise<{low: Picture, reference: Picture}>} */
  async #pair({ high, low }) {
    if (!high) throw new Error("its file is not there any more");
    const { images } = this.#bench.engines;
    const { scale } = this.#bench.cost();
    const decode = async (/** @type {File} */ file) => images.call("decodeImage", [new Uint8Array(await file.arrayBuffer())]);
    const picture = await decode(high);
    const cost = { ...this.#bench.cost(), mode: "benchmark" };
    if (!fits(wholeOf(picture), cost)) throw new Error(`${picture.width} × ${picture.height} pixels are too many for a tab's memory`);
    return images.call("benchmarkPair", [picture, scale, low && (await decode(low))]);
  }

  /** @param {Setting} setting @param {{low: Picture, reference: Picture}} pair @param {Map<string, Scored>} pictures */
  async #runOne({ method, bits, chosen: kept, key }, { low, reference }, pictures) {
    if (pictures.has(key)) return;
    const { engines, library, making, settings, tasks } = this.#bench;
    const chosen = kept ?? settings.chosen.at(/** @type {number | undefined} */ (bits));
    const result = await tasks.run(method, `${TASK}${key}`, "benchmarking", async (task) => {
      // Settings may change while something is waited for, and change back.
      const check = () => {
        task.check();
        if (this.#of?.key !== this.#wanted()) throw cancelled();
      };
      check();
      /** @type {import("../engine/client.js").Assets} */
      const assets = { network: library.network };
      if (chosen.usesCalibration(method)) assets.calibration = await making.calibrationFor(method, task, chosen);
      check();
      if (method === "dfsq-opt") assets.optimized = await making.optimizedFor(method, task, chosen);
      check();
      return engines[method].call("upscale", [low, reference, chosen.options(method)], { assets, onProgress: (done) => task.progress(done) });
    });
    pictures.set(key, result);
  }

  /** @param {{low: Picture, reference: Picture}} pair @param {Map<string, Scored>} pictures */
  async #enlarge({ low, reference }, pictures) {
    const { images } = this.#bench.engines;
    const { scale } = this.#bench.cost();
    const picture = await images.call("bicubic", [low, scale]);
    pictures.set(plain("bicubic").key, { picture, score: await images.call("score", [picture, reference, scale]) });
  }

  /** @param {Image} image @param {Map<string, Scored>} pictures */
  async #keep(image, pictures) {
    const full = pictures.get(plain("fp32").key)?.picture;
    const { scale } = this.#bench.cost();
    for (const [key, { picture, score }] of pictures) {
      if (!full || !score) throw new Error("it is too small to be scored");
      const toFull = picture === full ? undefined : await this.#bench.engines.images.call("score", [picture, full, scale]);
      image.measured.set(key, { score, toFull });
    }
  }

  /** @param {Image} image @param {Setting} setting @returns {Measured | undefined} */
  measured(image, setting) {
    return image.measured.get(setting.key);
  }

  /** Means of each setting that has been run. @returns {Row[]} */
  get rows() {
    return this.settings.flatMap((setting) => {
      const all = this.images.flatMap((image) => this.measured(image, setting) ?? []);
      if (!all.length) return [];
      const of = (/** @type {(one: Measured) => number | undefined} */ pick) => mean(all.map((one) => pick(one) ?? NaN));
      return [{ ...setting, psnrY: of(({ score }) => score.psnrY), ssimY: of(({ score }) => score.ssimY), toFull: of(({ toFull }) => toFull?.psnrY) }];
    });
  }
}
