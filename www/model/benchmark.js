// A folder of images as a benchmark: every method at every width, in the background. No DOM.
import { isCancelled } from "../engine/client.js";
import { fits, QUANTIZED_METHODS, wholeOf } from "./plan.js";
import { canonicalText } from "./settings.js";

/**
 * @typedef {import("./bench.js").Bench} Bench
 * @typedef {import("./folder.js").Listed} Listed
 * @typedef {import("../pkg/dfsq.js").Picture} Picture
 * @typedef {import("../pkg/dfsq.js").Score} Score
 * @typedef {{method: string, bits: number | undefined}} Setting `bits` of weights and activations, where the method has some
 * @typedef {{score: Score, toFull: Score | undefined}} Measured
 * @typedef {Listed & {measured: Map<string, Measured>, error?: string}} Image
 * @typedef {Setting & {psnrY: number, ssimY: number, toFull: number}} Row means over the images that are done
 */

/** @param {Setting} setting */
const keyOf = ({ method, bits }) => `${method} ${bits}`;

/** @param {number[]} values */
const mean = (values) => values.reduce((sum, value) => sum + value, 0) / values.length;

export class Benchmark {
  /** @type {Image[]} */
  images = [];
  /** Bits to run the methods at. */
  widths = [4, 3, 2];
  /** @type {"idle" | "running" | "paused" | "done"} */
  state = "idle";
  /** What the results are of. */
  #of = "";
  /** Milliseconds spent, and on how many images. */
  #spent = { time: 0, images: 0 };
  #bench;

  /** @param {Bench} bench */
  constructor(bench) {
    this.#bench = bench;
  }

  /** @returns {Setting[]} */
  get settings() {
    const quantized = QUANTIZED_METHODS.flatMap((method) => this.widths.map((bits) => ({ method, bits })));
    return [{ method: "bicubic", bits: undefined }, { method: "fp32", bits: undefined }, ...quantized];
  }

  /** What results depend on. */
  #wanted() {
    const { library, settings } = this.#bench;
    const { points, optSelection, recipe, minMaxRange, weights, denormalizationBits } = settings.values;
    return canonicalText([library.info?.sha256, points, optSelection, recipe, minMaxRange, weights, denormalizationBits, this.#bench.making.ground]);
  }

  /** Whether the results are of another network or method than is chosen now. */
  get isStale() {
    return this.images.some(({ measured }) => measured.size) && this.#of !== this.#wanted();
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
    return error !== undefined || this.settings.every((setting) => measured.has(keyOf(setting)));
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
    if (!library.network || this.state === "running") return;
    if (this.isStale) for (const image of this.images) image.measured.clear();
    this.#of = this.#wanted();
    this.#spent = { time: 0, images: 0 };
    this.state = "running";
    this.#bench.changed();
    for (const image of this.images) {
      const start = performance.now();
      if (this.#isDone(image)) continue;
      await this.#measure(image);
      if (this.state !== "running") return;
      this.#spent = { time: this.#spent.time + performance.now() - start, images: this.#spent.images + 1 };
      this.#bench.changed();
    }
    this.state = "done";
    this.#bench.changed();
  }

  /** Stops; what is done stays. */
  pause() {
    if (this.state !== "running") return;
    this.state = "paused";
    const { tasks, scheduler } = this.#bench;
    for (const name of tasks.names) if (tasks.get(name)?.phase === "benchmarking") scheduler.end(name);
    this.#bench.changed();
  }

  /** Until no worker does anything else. */
  async #idle() {
    while (this.state === "running" && (this.#bench.tasks.size || this.#bench.loading)) {
      await new Promise((resolve) => this.#bench.addEventListener("change", resolve, { once: true }));
    }
  }

  /** @param {Image} image */
  async #measure(image) {
    /** @type {Map<string, {picture: Picture, score: Score}>} */
    const pictures = new Map();
    while (this.state === "running" && !this.#isDone(image)) {
      try {
        // What the user looks at goes first.
        await this.#idle();
        if (this.state !== "running") return;
        const pair = await this.#pair(image);
        const quantized = QUANTIZED_METHODS.map((method) => async () => {
          for (const bits of this.widths) await this.#run({ method, bits }, pair, pictures);
        });
        const all = [() => this.#run({ method: "fp32", bits: undefined }, pair, pictures), () => this.#enlarge(pair, pictures), ...quantized];
        const ended = await Promise.allSettled(all.map((work) => work()));
        const failed = ended.flatMap((end) => (end.status === "rejected" ? [end.reason] : []));
        const error = failed.find((reason) => !isCancelled(reason)) ?? failed[0];
        if (error) throw error;
        await this.#keep(image, pictures);
      } catch (error) {
        // A worker that was taken for something else is had again later.
        if (!isCancelled(error)) image.error = error instanceof Error ? error.message : String(error);
      }
    }
  }

  /** @param {Image} image @returns {Promise<{low: Picture, reference: Picture}>} */
  async #pair({ high, low }) {
    const { images } = this.#bench.engines;
    const { scale } = this.#bench.cost();
    const decode = async (/** @type {File} */ file) => images.call("decodeImage", [new Uint8Array(await file.arrayBuffer())]);
    const picture = await decode(high);
    const cost = { ...this.#bench.cost(), mode: "benchmark" };
    if (!fits(wholeOf(picture), cost)) throw new Error(`${picture.width} × ${picture.height} pixels are too many for a tab's memory`);
    if (!low) return images.call("benchmarkPair", [picture, scale]);
    const small = await decode(low);
    if (small.width * scale !== picture.width || small.height * scale !== picture.height) {
      throw new Error(`its low-resolution image has ${small.width} × ${small.height} pixels, the reference ${picture.width} × ${picture.height}, which is not ${scale} times that`);
    }
    return { low: small, reference: picture };
  }

  /** @param {Setting} setting @param {{low: Picture, reference: Picture}} pair @param {Map<string, {picture: Picture, score: Score}>} pictures */
  async #run({ method, bits }, { low, reference }, pictures) {
    const key = keyOf({ method, bits });
    if (pictures.has(key)) return;
    const { engines, library, making, settings, tasks } = this.#bench;
    const result = await tasks.run(method, `benchmark ${key}`, "benchmarking", async (task) => {
      /** @type {import("../engine/client.js").Assets} */
      const assets = { network: library.network };
      if (method === "dfsq" || method === "min-max") assets.calibration = await making.calibrationFor(method, task);
      if (method === "dfsq-opt") assets.optimized = await making.optimizedFor(task, bits);
      task.check();
      return engines[method].call("upscale", [low, reference, settings.options(method, bits)], { assets, onProgress: (done) => task.progress(done) });
    });
    pictures.set(key, result);
  }

  /** @param {{low: Picture, reference: Picture}} pair @param {Map<string, {picture: Picture, score: Score}>} pictures */
  async #enlarge({ low, reference }, pictures) {
    const { images } = this.#bench.engines;
    const { scale } = this.#bench.cost();
    const picture = await images.call("bicubic", [low, scale]);
    pictures.set(keyOf({ method: "bicubic", bits: undefined }), { picture, score: await images.call("score", [picture, reference, scale]) });
  }

  /** @param {Image} image @param {Map<string, {picture: Picture, score: Score}>} pictures */
  async #keep(image, pictures) {
    const full = pictures.get(keyOf({ method: "fp32", bits: undefined }))?.picture;
    const { scale } = this.#bench.cost();
    for (const [key, { picture, score }] of pictures) {
      const toFull = picture === full ? undefined : await this.#bench.engines.images.call("score", [picture, full, scale]);
      image.measured.set(key, { score, toFull });
    }
  }

  /** @param {Image} image @param {Setting} setting @returns {Measured | undefined} */
  measured(image, setting) {
    return image.measured.get(keyOf(setting));
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
