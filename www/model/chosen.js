// What was chosen at one time, and what follows from it for each method. Never changed. No DOM.
import { OF_KMEANS, POINT_SOURCES, QUANTIZED_METHODS, RANGE_ESTIMATORS } from "../pkg/facts.js";
import { CHOICES, GROUPS, uniform } from "./choices.js";
import { BESIDE } from "./plan.js";

/**
 * @typedef {import("./choices.js").Values} Values
 * @typedef {import("./choices.js").Options} Options
 * @typedef {import("./choices.js").PointSettings} PointSettings
 * @typedef {import("./choices.js").Defaults} Defaults
 * @typedef {[number, number]} BitPair bits of weights and activations
 */

export class Chosen {
  #defaults;

  /** @param {Values} values @param {Defaults} defaults @param {import("./library.js").Library} [library] the network that it is of, where that is not the one in use */
  constructor(values, defaults, library) {
    this.values = values;
    this.#defaults = defaults;
    this.library = library;
  }

  /** The same but for this. @param {Partial<Values>} part */
  with(part) {
    return new Chosen({ ...this.values, ...part }, this.#defaults, this.library);
  }

  /** The same with another network; without one, with the one in use. @param {import("./library.js").Library | undefined} library */
  of(library) {
    return new Chosen(this.values, this.#defaults, library);
  }

  /** The same with one width for all layers alike; without one, as it is. @param {number} [width] */
  at(width) {
    return width === undefined ? this : this.with(uniform(width));
  }

  /** The worker that runs a method of it. @param {string} method */
  worker(method) {
    return this.library ? BESIDE : method;
  }

  /** What a run of a method depends on, and nothing else. @param {string} method @returns {Partial<Options>} */
  options(method) {
    const own = { method: /** @type {Options["method"]} */ (method) };
    if (!QUANTIZED_METHODS.includes(method)) return own;
    const variants = CHOICES.flatMap(({ of, path: [name, ...rest] }) => (GROUPS[of].includes(method) && !rest.length && name in this.#defaults.options ? [name] : []));
    return { ...own, ...pick(this.values, ["weightBits", "activationBits", "layerBits", .../** @type {(keyof Values)[]} */ (variants)]) };
  }

  /** How DFSQ-opt chooses points. @returns {PointSettings} */
  get optimalPoints() {
    const points = { ...this.values.points, selection: this.values.optSelection, normalization: /** @type {const} */ ("sample") };
    return /** @type {PointSettings} */ ({ ...this.#defaults.points, ...counted(points) });
  }

  /** Whether what a method computes depends on the calibration. @param {string} method */
  usesCalibration(method) {
    const { minMaxRange, pointSource, weights } = this.values;
    // The universal set of subset weights is that of the points.
    if (method === "dfsq") return pointSource === "calibrated" || weights === "subset";
    return method === "min-max" && minMaxRange === "static";
  }

  /** The bits of a layer that is quantized: its own where it has some. @param {import("../pkg/dfsq.js").LayerInfo} layer @returns {BitPair} */
  bitsOf({ name, usualBits }) {
    const { weightBits, activationBits, layerBits } = this.values;
    const of = (/** @type {number} */ width) => (width === 32 ? 32 : (usualBits ?? width));
    return /** @type {BitPair} */ (layerBits[name] ?? [of(weightBits), of(activationBits)]);
  }

  /** Where a method is not as it is by default in what it rounds activations to, how it is. @param {string} method @returns {string | undefined} */
  variantInWords(method) {
    const { pointSource, rangeEstimator, rangeGranularity } = this.values;
    if (method === "dfsq" && pointSource !== "calibrated") return POINT_SOURCES.find(([id]) => id === pointSource)?.[1];
    if (method !== "min-max") return undefined;
    if (rangeEstimator === "min-max" && rangeGranularity === "layer") return undefined;
    const title = RANGE_ESTIMATORS.find(([id]) => id === rangeEstimator)?.[1];
    return rangeGranularity === "channel" ? `${title} of each channel` : title;
  }

  /** Whether a method can be had at these bits of each layer's weights and activations. @param {string} method @param {BitPair[]} layerBits */
  offers(method, layerBits) {
    const { minMaxRange, pointSource } = this.values;
    // Calibrated ranges are minimum and maximum of a layer.
    if (method === "min-max") return minMaxRange === "dynamic" || !this.variantInWords(method);
    const only = method === "dfsq" && POINT_SOURCES.find(([id]) => id === pointSource)?.[2];
    return !only || layerBits.every(([, activations]) => activations === 32 || activations === only);
  }
}

/** @template T @template {keyof T} K @param {T} values @param {K[]} names @returns {Pick<T, K>} */
const pick = (values, names) => /** @type {Pick<T, K>} */ (Object.fromEntries(names.map((name) => [name, values[name]])));

/** Of how points are chosen, what makes a difference. @param {PointSettings} points @returns {Partial<PointSettings>} */
export function counted(points) {
  if (points.selection === "kmeans") return points;
  return Object.fromEntries(Object.entries(points).filter(([name]) => !OF_KMEANS.includes(/** @type {any} */ (name))));
}
