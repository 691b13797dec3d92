// What can be chosen. No DOM. The defaults are told by Rust.
import { POINT_SOURCES, RANGE_ESTIMATORS, UNIVERSAL_SETS } from "../pkg/facts.js";

/**
 * @typedef {Required<import("../pkg/dfsq.js").Options>} Options
 * @typedef {Required<import("../pkg/dfsq.js").PointSettings>} PointSettings
 * @typedef {Required<import("../pkg/dfsq.js").Recipe>} Recipe
 * @typedef {import("../pkg/dfsq.js").Defaults} Defaults
 * @typedef {{scope: string, engine: string}} Reading which layers of a network are quantized, and what runs it
 * @typedef {Omit<Options, "method"> & {mode: "benchmark" | "upscale", points: PointSettings, optSelection: PointSettings["selection"], recipe: Recipe} & Reading} Values
 * `points` are DFSQ's, which DFSQ-opt shares but for the selection; `recipe` is DFSQ-opt's
 */

/** Under which headings choices stand, and with which methods those count. @type {Record<string, string[]>} */
export const GROUPS = { Network: [], "Min-max": ["min-max"], DFSQ: ["dfsq"], "DFSQ-opt": ["dfsq-opt"], Both: ["dfsq", "dfsq-opt"] };

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

/** The same bits of weights and activations of all layers. @param {number} width @returns {Pick<Values, "weightBits" | "activationBits" | "layerBits">} */
export const uniform = (width) => ({ weightBits: width, activationBits: width, layerBits: {} });

/** The value of a choice, as a select has it. @param {Values} values @param {string[]} path */
export function valueOf(values, path) {
  return String(path.reduce((/** @type {any} */ at, key) => at[key], values));
}
