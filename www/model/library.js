// A network, and the files that were made for it: calibrations and optimized layers. No DOM, no workers.
import { counted } from "./chosen.js";
import { canonicalText, same } from "./same.js";

/**
 * @typedef {import("../pkg/dfsq.js").NetworkInfo} NetworkInfo
 * @typedef {import("./choices.js").PointSettings} PointSettings
 * @typedef {import("./choices.js").Recipe} Recipe
 * @typedef {import("../engine/client.js").NetworkFile} NetworkFile
 * @typedef {"shipped" | "image" | "images" | "patches" | "file"} Source what a calibration was made on
 * @typedef {{source: Source, pictures: string, widths?: number[]}} Ground what a calibration was made on: a source, which pictures these are, and for which widths; a file has what it has
 * @typedef {{file: Uint8Array, sha256: string, settings: PointSettings, source: Source}} CalibrationFile
 * @typedef {{file: Uint8Array, settings: PointSettings, recipe: Recipe, variants: NetworkInfo["optimization"]["variants"]}} OptimizedFile
 * `variants` is what the worker says that the file holds
 */

export class Library {
  /** @type {NetworkFile | undefined} */
  network = undefined;
  /** Of the network alone; what was learned of it is in the files. @type {NetworkInfo | undefined} */
  info = undefined;
  /** How it was read. @type {import("./choices.js").Reading | undefined} */
  reading = undefined;
  /** Where the user said what to calibrate on. @type {Source | undefined} */
  wanted = undefined;
  /** By the scope of the layers that they are for. @type {Map<string, {calibrations: Map<string, CalibrationFile>, optimized: Map<string, OptimizedFile>}>} */
  #made = new Map();
  #came;

  /** @param {boolean} [came] whether a calibration comes with the network, be it for other layers */
  constructor(came = false) {
    this.#came = came;
  }

  /** Takes the network as it was read, with the files that came with it, of which `info` tells. Where it is read in another way than before, what was made of it stays, for the layers that it is for. @param {{network: NetworkFile, info: NetworkInfo, reading: import("./choices.js").Reading, calibration?: Uint8Array, optimized?: Uint8Array}} read */
  take({ network, info, reading, calibration, optimized }) {
    this.network = network;
    this.info = info;
    this.reading = reading;
    if (this.#made.has(info.scope)) return;
    this.#made.set(info.scope, { calibrations: new Map(), optimized: new Map() });
    if (calibration) this.keepCalibration({ source: "shipped", pictures: "" }, calibration, info);
    if (optimized) this.keepOptimized(optimized, info);
  }

  /** @returns {Map<string, CalibrationFile>} */
  get #calibrations() {
    return this.#made.get(this.info?.scope ?? "")?.calibrations ?? new Map();
  }

  /** @returns {Map<string, OptimizedFile>} */
  get #optimized() {
    return this.#made.get(this.info?.scope ?? "")?.optimized ?? new Map();
  }

  /** Keeps a calibration, of which `info` tells. @param {Ground} ground @param {Uint8Array} file @param {NetworkInfo} info @returns {CalibrationFile} */
  keepCalibration(ground, file, { calibration }) {
    if (!calibration) throw new Error("the worker has no calibration");
    const { settings, sha256 } = calibration;
    const kept = { file, sha256, settings: /** @type {PointSettings} */ (settings), source: ground.source };
    this.#calibrations.set(groundKey(kept.settings, ground), kept);
    return kept;
  }

  /** @param {PointSettings} points @param {Ground} ground */
  calibration(points, ground) {
    return this.#calibrations.get(groundKey(points, ground));
  }

  /** What a calibration with these settings is to be made on, if it is not there. @param {PointSettings} points @returns {Source} */
  sourceFor(points) {
    const has = (/** @type {Source} */ source) => Boolean(this.calibration(points, { source, pictures: "" }));
    // A file that was brought or shipped has settings of its own.
    const isFile = this.wanted === "file" || this.wanted === "shipped";
    if (this.wanted && (!isFile || has(this.wanted))) return this.wanted;
    if (has("shipped")) return "shipped";
    return this.#came ? "patches" : "image";
  }

  /** Keeps optimized layers, of which `info` tells, in the place of those that were made in the same way. @param {Uint8Array} file @param {NetworkInfo} info @returns {OptimizedFile} */
  keepOptimized(file, { optimization: { settings, recipe, variants } }) {
    const kept = { file, settings: /** @type {PointSettings} */ (settings), recipe: /** @type {Recipe} */ (recipe), variants };
    this.#optimized.set(canonicalText([settings, recipe]), kept);
    return kept;
  }

  /** All choices of bits that there are optimized layers for, however they were made. */
  get variants() {
    return [...this.#optimized.values()].flatMap(({ variants }) => variants);
  }

  /** @param {PointSettings} settings @param {Recipe} recipe */
  optimized(settings, recipe) {
    return this.#optimized.get(canonicalText([settings, recipe]));
  }
}

/** The layers of a file for these bits of all layers. @param {OptimizedFile | undefined} optimized @param {[number, number][]} bits */
export function variantOf(optimized, bits) {
  return optimized?.variants.find((variant) => same(variant.bits, bits));
}

/** @param {PointSettings} settings @param {Ground} ground */
function groundKey(settings, ground) {
  // The seed is not chosen here.
  const { seed: _, ...chosen } = counted(settings);
  return canonicalText([chosen, ground]);
}
