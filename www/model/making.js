// Makes what methods need of a network: calibrations and optimized layers. No DOM.
import { patches } from "./picture.js";
import { variantOf } from "./library.js";

/**
 * @typedef {import("./library.js").Ground} Ground
 * @typedef {import("./library.js").CalibrationFile} CalibrationFile
 * @typedef {import("./library.js").OptimizedFile} OptimizedFile
 * @typedef {import("./library.js").Library} Library
 * @typedef {import("./tasks.js").Task} Task
 * @typedef {import("./bench.js").Bench} Bench
 * @typedef {import("./chosen.js").Chosen} Chosen
 */

/** Sides of patches, in pixels of the network's input, and how many of each sample. To calibrate on, as in the paper; more of them change scores by less than other ones do. */
const CALIBRATED = { side: 48, each: 3 };
/** To optimize on: all their positions count, so that few small ones do. */
const OPTIMIZED = { side: 32, each: 3 };
/** To measure layers on, each layer at each width with a run of its own. */
const MEASURED = { side: 24, each: 1 };

export class Making {
  /** Calibrations that are being made, so that two methods wait for the same one. @type {Map<string, Promise<CalibrationFile>>} */
  #underWay = new Map();
  #bench;

  /** @param {Bench} bench */
  constructor(bench) {
    this.#bench = bench;
  }

  /** The widths of activations. @param {Chosen} [chosen] */
  widths(chosen) {
    const used = this.#bench.layerBits(chosen).map(([, activations]) => activations);
    return [...new Set(used)].filter((width) => width !== 32).sort((a, b) => a - b);
  }

  /** The widths that a calibration is saved with: those that are offered too, unless every subset is tried. */
  get savedWidths() {
    const { settings } = this.#bench;
    const offered = settings.values.points.selection === "exhaustive" ? [] : settings.quantizedWidths;
    return [...new Set([...offered, ...this.widths()])].sort((a, b) => a - b);
  }

  /** What the calibration for these settings is made on. Points are chosen for the widths in use only; what was gathered for them serves others too. @param {Chosen} [chosen] @param {number[]} [widths] @returns {Ground} */
  ground(chosen = this.#bench.settings.chosen, widths = this.widths(chosen)) {
    const { samples } = this.#bench;
    const source = this.#bench.libraryOf(chosen).sourceFor(chosen.values.points);
    const of = source === "image" ? [samples.current] : source === "images" ? samples.list : [];
    // In whatever order they lie.
    const pictures = of.flatMap((sample) => (sample ? [this.#bench.inputKey(sample)] : [])).sort().join(" ");
    // A file has what it has.
    return { source, pictures, widths: source === "shipped" || source === "file" ? undefined : widths };
  }

  /** The calibration for the present settings, where it is there. */
  get calibration() {
    return this.calibrationOf();
  }

  /** The calibration for these settings, with points for these widths, where it is there. @param {Chosen} [chosen] @param {number[]} [widths] */
  calibrationOf(chosen = this.#bench.settings.chosen, widths = this.widths(chosen)) {
    return this.#bench.libraryOf(chosen).calibration(chosen.values.points, this.ground(chosen, widths));
  }

  /** The optimized layers for these settings, where there are some. @param {Chosen} [chosen] */
  optimized(chosen = this.#bench.settings.chosen) {
    return this.#bench.libraryOf(chosen).optimized(chosen.optimalPoints, chosen.values.recipe);
  }

  /** Whether there are optimized layers for the present bits. */
  get optimizedIsKnown() {
    const bits = this.#bench.layerBits();
    return bits.flat().every((width) => width === 32) || Boolean(variantOf(this.optimized(), bits));
  }

  /** The calibration for these settings, with points for these widths; made by this worker where it is not there nor under way. @param {string} worker @param {Task} task @param {Chosen} [chosen] @param {number[]} [widths] @returns {Promise<CalibrationFile>} */
  async calibrationFor(worker, task, chosen = this.#bench.settings.chosen, widths = this.widths(chosen)) {
    const known = this.calibrationOf(chosen, widths);
    if (known) return known;
    const key = JSON.stringify([this.#bench.libraryOf(chosen).info?.identity, chosen.values.points, this.ground(chosen, widths)]);
    const underWay = this.#underWay.get(key);
    if (underWay) return underWay;
    const made = this.#calibrate(worker, task, chosen, widths);
    this.#underWay.set(key, made);
    const over = () => this.#underWay.delete(key);
    made.then(over, over);
    return made;
  }

  /** @param {string} worker @param {Task} task @param {Chosen} chosen @param {number[]} widths @returns {Promise<CalibrationFile>} */
  async #calibrate(worker, task, chosen, widths) {
    const { engines } = this.#bench;
    // These may change while it is at it.
    const library = this.#bench.libraryOf(chosen);
    const ground = this.ground(chosen, widths);
    const { points } = chosen.values;
    const { network } = library;
    const { phase } = task;
    this.#enter(task, "calibrating");
    const pictures = await this.#pictures(ground, library);
    task.check();
    const { file, info } = await engines[worker].call("calibrate", [pictures, points, widths], { assets: { network }, onProgress: (done) => task.progress(0.8 * done) });
    task.check();
    this.#enter(task, phase);
    return library.keepCalibration(ground, file, info);
  }

  /** Pictures as they are to come: what the calibration for these settings was made on, or patches where that came with a file. @param {Chosen} chosen */
  calibrationPictures(chosen) {
    return this.#pictures(this.ground(chosen), this.#bench.libraryOf(chosen));
  }

  /** @param {Task} task @param {string} phase */
  #enter(task, phase) {
    task.phase = phase;
    this.#bench.changed();
  }

  /** What is calibrated on. @param {Ground} ground @param {Library} library */
  async #pictures({ source }, library) {
    if (source !== "image" && source !== "images") return this.patches(CALIBRATED, library);
    const { samples } = this.#bench;
    const list = source === "image" && samples.current ? [samples.current] : samples.list;
    return Promise.all(list.map(async (sample) => (await this.#bench.pair(sample)).low));
  }

  /** Optimized layers that have the bits of these settings, made by this worker where they are not there. @param {string} worker @param {Task} task @param {Chosen} [chosen] @returns {Promise<OptimizedFile | undefined>} */
  async optimizedFor(worker, task, chosen = this.#bench.settings.chosen) {
    const { engines } = this.#bench;
    const library = this.#bench.libraryOf(chosen);
    const bits = this.#bench.layerBits(chosen);
    const { phase } = task;
    const known = this.optimized(chosen);
    const full = bits.flat().every((width) => width === 32);
    if (full || variantOf(known, bits)) return known;
    const [options, points, { recipe }] = [chosen.options("dfsq-opt"), chosen.optimalPoints, chosen.values];
    const { network } = library;
    this.#enter(task, "optimizing");
    const pictures = await this.patches(OPTIMIZED, library);
    task.check();
    const assets = { network, optimized: known };
    const { file, info } = await engines[worker].call("optimize", [pictures, options, points, recipe], { assets, onProgress: (done) => task.progress(0.8 * done) });
    task.check();
    this.#enter(task, phase);
    return library.keepOptimized(file, info);
  }

  /** Patches to measure layers on. */
  measuredPatches() {
    return this.patches(MEASURED);
  }

  /** Patches of the bundled samples, or of the one size that a network takes. @param {{side: number, each: number}} patches @param {Library} [library] */
  async patches({ side, each }, library = this.#bench.library) {
    const { engines, sampleFiles } = this.#bench;
    const { scale, size } = this.#bench.cost(library);
    return patches(engines.images, await sampleFiles(), scale, size ?? [side, side], each);
  }
}
