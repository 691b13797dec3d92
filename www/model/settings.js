// What the user can choose, and how it travels in a link. No DOM. The defaults are told by Rust.
import { POINT_SOURCES, RANGE_ESTIMATORS, UNIVERSAL_SETS } from "../pkg/facts.js";

/**
 * @typedef {Required<import("../pkg/dfsq.js").Options>} Options
 * @typedef {Required<import("../pkg/dfsq.js").PointSettings>} PointSettings
 * @typedef {Required<import("../pkg/dfsq.js").Recipe>} Recipe
 * @typedef {import("../pkg/dfsq.js").Defaults} Defaults
 * @typedef {{scope: string, engine: string}} Reading which layers of a network are quantized, and what runs it
 * @typedef {[number, number]} BitPair bits of weights and activations
 * @typedef {Omit<Options, "method"> & {mode: "benchmark" | "upscale", points: PointSettings, optSelection: PointSettings["selection"], recipe: Recipe} & Reading} Values
 * `points` are DFSQ's, which DFSQ-opt shares but for the selection; `recipe` is DFSQ-opt's
 */

/** What can be chosen beside bits and mode: name in a link, values with what they are called, and where the value is kept.
 * @type {{name: string, label: string, of: string, values: [string, string][], path: string[]}[]} */
export const CHOICES = [
  { name: "scope", of: "Network", label: "Quantized layers", values: [["paper", "as in the paper"], ["all", "all, ends 8 bits"]], path: ["scope"] },
  { name: "engine", of: "Network", label: "Engine", values: [["native", "native"], ["tract", "tract"]], path: ["engine"] },
  { name: "range", of: "Min-max", label: "Range", values: [["dynamic", "of each image"], ["static", "calibrated"]], path: ["minMaxRange"] },
  { name: "range-ends", of: "Min-max", label: "Ends of the range", values: RANGE_ESTIMATORS, path: ["rangeEstimator"] },
  { name: "range-of", of: "Min-max", label: "Range for", values: [["layer", "the whole layer"], ["channel", "each channel"]], path: ["rangeGranularity"] },
  { name: "point-source", of: "DFSQ", label: "Set of points", values: POINT_SOURCES.map(([id, title]) => [id, title]), path: ["pointSource"] },
  { name: "selection", of: "DFSQ", label: "Points", values: [["kmeans", "k-means, snapped"], ["exact", "exact"], ["exhaustive", "exhaustive search"]], path: ["points", "selection"] },
  { name: "preset", of: "DFSQ", label: "k-means of", values: [["reference", "the authors’ code"], ["paper", "the paper’s text"]], path: ["points", "preset"] },
  { name: "restarts", of: "DFSQ", label: "k-means starts", values: [["0", "3 or 5, as published"], ["1", "1"], ["3", "3"], ["5", "5"], ["10", "10"], ["20", "20"]], path: ["points", "restarts"] },
  { name: "grid", of: "DFSQ", label: "Weights", values: [["uniform", "uniform"], ["subset", "subset, exact"]], path: ["weights"] },
  { name: "opt-selection", of: "DFSQ-opt", label: "Points", values: [["exact", "exact"], ["kmeans", "k-means, snapped"]], path: ["optSelection"] },
  { name: "opt-grid", of: "DFSQ-opt", label: "Weights", values: [["subset", "subset, exact"], ["uniform", "uniform"]], path: ["recipe", "weights"] },
  { name: "rounding", of: "DFSQ-opt", label: "Rounding", values: [["compensated", "compensated"], ["nearest", "nearest"]], path: ["recipe", "rounding"] },
  { name: "channel-bits", of: "DFSQ-opt", label: "Activations’ bits", values: [["equal", "equal"], ["allocated", "divided by channel"]], path: ["recipe", "channelBits"] },
  { name: "sets", of: "Both", label: "Universal set", values: UNIVERSAL_SETS.map(([sets, size]) => [String(sets), `${sets} word sets, ${size} values`]), path: ["points", "wordSets"] },
  { name: "granularity", of: "Both", label: "Points for", values: [["channel", "each channel"], ["layer", "the whole layer"]], path: ["points", "granularity"] },
  { name: "mean", of: "Both", label: "Mean", values: [["auto", "subtracted, except after ReLU"], ["always", "always subtracted"], ["never", "never subtracted"]], path: ["points", "mean"] },
  { name: "normalization", of: "Both", label: "Normalization", values: [["sample", "of each sample"], ["none", "none (DFSQ only)"]], path: ["points", "normalization"] },
  { name: "denormalization", of: "Both", label: "Precision of mean and range", values: [["32", "full precision"], ["8", "8 bits"], ["6", "6 bits"], ["4", "4 bits"]], path: ["denormalizationBits"] },
];

/** With which a first visit begins: min-max is plainly broken there, and the others are not. */
const FIRST_BITS = 3;

/** The same bits of weights and activations of all layers. @param {number} width @returns {Pick<Values, "weightBits" | "activationBits" | "layerBits">} */
export const uniform = (width) => ({ weightBits: width, activationBits: width, layerBits: {} });

/**
 * The bits of a layer that is quantized: its own where it has some. @param {import("../pkg/dfsq.js").LayerInfo} layer
 * @param {Pick<Values, "weightBits" | "activationBits" | "layerBits">} chosen @returns {BitPair}
 */
export function bitsOf({ name, usualBits }, { weightBits, activationBits, layerBits }) {
  const of = (/** @type {number} */ width) => (width === 32 ? 32 : (usualBits ?? width));
  return /** @type {BitPair} */ (layerBits[name] ?? [of(weightBits), of(activationBits)]);
}

/** Where a method is not as it is by default in what it rounds activations to, how it is. @param {Values} values @param {string} method @returns {string | undefined} */
export function variantInWords({ pointSource, rangeEstimator, rangeGranularity }, method) {
  if (method === "dfsq" && pointSource !== "calibrated") return POINT_SOURCES.find(([id]) => id === pointSource)?.[1];
  if (method !== "min-max") return undefined;
  if (rangeEstimator === "min-max" && rangeGranularity === "layer") return undefined;
  const title = RANGE_ESTIMATORS.find(([id]) => id === rangeEstimator)?.[1];
  return rangeGranularity === "channel" ? `${title} of each channel` : title;
}

/** The value of a choice, as a select has it. @param {Values} values @param {string[]} path */
export function valueOf(values, path) {
  return String(path.reduce((/** @type {any} */ at, key) => at[key], values));
}

/** The settings. Every change is announced by one event, "change". */
export class Settings extends EventTarget {
  /** @type {Values} */
  #values;
  /** @type {Values} */
  #plain;

  /** @param {Defaults} defaults @param {URLSearchParams} [link] what it asks for is taken where it can be */
  constructor(defaults, link = new URLSearchParams()) {
    super();
    this.defaults = defaults;
    const { method: _, ...options } = defaults.options;
    this.#plain = /** @type {Values} */ ({ ...options, ...uniform(FIRST_BITS), mode: "benchmark", points: defaults.points, optSelection: defaults.optimalPoints.selection, recipe: defaults.recipe, scope: "paper", engine: "native" });
    this.#values = this.#read(link);
  }

  /** What is chosen, not to be changed. */
  get values() {
    return this.#values;
  }

  /** @param {Partial<Values>} part */
  set(part) {
    const next = { ...this.#values, ...part };
    if (same(next, this.#values)) return;
    this.#values = next;
    this.dispatchEvent(new Event("change"));
  }

  /** Takes over what a link asks for, where it can be; the rest as by default. @param {URLSearchParams} link */
  follow(link) {
    this.set(this.#read(link));
  }

  /** Sets a choice to the value that its select has. @param {string[]} path @param {string} text */
  choose(path, text) {
    this.set(with_(this.#values, path, text));
  }

  /** Sets every choice of `CHOICES` as it is in the published code. */
  reset() {
    this.set(CHOICES.reduce((values, { path }) => with_(values, path, valueOf(this.#plain, path)), this.#values));
  }

  /** The widths that are offered for all layers alike, without full precision, widest first. */
  get quantizedWidths() {
    return this.defaults.bitWidths.filter((width) => width !== 32);
  }

  /** Whether a choice is as in the published code. @param {string[]} path */
  isDefault(path) {
    return valueOf(this.#values, path) === valueOf(this.#plain, path);
  }

  /** What a run of a method depends on, and nothing else; `width` is for all layers in the place of the chosen bits. @param {string} method @param {number} [width] @returns {Partial<Options>} */
  options(method, width) {
    const { minMaxRange, rangeEstimator, rangeGranularity, pointSource, weights, denormalizationBits } = this.#values;
    const { weightBits, activationBits, layerBits } = width === undefined ? this.#values : uniform(width);
    const common = { method: /** @type {Options["method"]} */ (method), weightBits, activationBits, layerBits };
    if (method === "min-max") return { ...common, minMaxRange, rangeEstimator, rangeGranularity };
    if (method === "dfsq") return { ...common, pointSource, weights, denormalizationBits };
    return method === "dfsq-opt" ? { ...common, denormalizationBits } : { method: common.method };
  }

  /** How a network is read. @returns {Reading} */
  get reading() {
    const { scope, engine } = this.#values;
    return { scope, engine };
  }

  /** Whether points chosen with these settings are those that DFSQ is asked for. @param {PointSettings} points */
  arePoints(points) {
    return same(this.#canonical(points), this.#canonical(this.#values.points));
  }

  /** How DFSQ-opt chooses points. @returns {PointSettings} */
  get optimalPoints() {
    return this.#canonical({ ...this.#values.points, selection: this.#values.optSelection, normalization: "sample" });
  }

  /** What is of k-means makes a difference only there. @param {PointSettings} points @returns {PointSettings} */
  #canonical(points) {
    const { preset, restarts, seed } = /** @type {PointSettings} */ (this.defaults.points);
    return points.selection === "kmeans" ? points : { ...points, preset, restarts, seed };
  }

  /** What is not as it is by default, for a link. @returns {Record<string, string>} */
  toLink() {
    const { weightBits, activationBits, mode, layerBits } = this.#values;
    const changed = CHOICES.filter(({ path }) => !this.isDefault(path));
    const layers = Object.entries(layerBits).map(([name, bits]) => [name.replace(/[%:,]/g, encodeURIComponent), ...bits].join(":"));
    return {
      weights: String(weightBits),
      activations: String(activationBits),
      mode,
      ...Object.fromEntries(changed.map(({ name, path }) => [name, valueOf(this.#values, path)])),
      ...(layers.length ? { layers: layers.join() } : {}),
    };
  }

  /** @param {URLSearchParams} link @returns {Values} */
  #read(link) {
    const bits = this.defaults.bitWidths.map(String);
    let values = this.#plain;
    const take = (/** @type {string} */ name, /** @type {string[]} */ allowed, /** @type {string[]} */ path) => {
      const value = link.get(name);
      if (value !== null && allowed.includes(value)) values = with_(values, path, value);
    };
    take("weights", bits, ["weightBits"]);
    take("activations", bits, ["activationBits"]);
    take("mode", ["benchmark", "upscale"], ["mode"]);
    for (const { name, values: allowed, path } of CHOICES) take(name, allowed.map(([value]) => value), path);
    const ofLayers = this.defaults.layerBitWidths.map(String);
    const layers = (link.get("layers")?.split(",") ?? []).flatMap((part) => {
      const [name, ...widths] = part.split(":");
      const understood = name && widths.length === 2 && widths.every((width) => ofLayers.includes(width));
      return understood ? [[name.replace(/%(25|3A|2C)/g, decodeURIComponent), widths.map(Number)]] : [];
    });
    return { ...values, layerBits: Object.fromEntries(layers) };
  }
}

/** A copy with another value at a path, a number where one was. @param {any} values @param {string[]} path @param {string} text @returns {any} */
function with_(values, [key, ...rest], text) {
  if (rest.length) return { ...values, [key]: with_(values[key], rest, text) };
  return { ...values, [key]: typeof values[key] === "number" ? Number(text) : text };
}

/** Whether two plain values are the same, in whatever order their entries are. @param {any} a @param {any} b @returns {boolean} */
export function same(a, b) {
  return canonicalText(a) === canonicalText(b);
}

/** JSON with the entries of objects in order. @param {any} value @returns {string} */
export function canonicalText(value) {
  return JSON.stringify(value, (_, part) => (part && typeof part === "object" && !Array.isArray(part) ? Object.fromEntries(Object.entries(part).sort(([a], [b]) => (a < b ? -1 : 1))) : part));
}
