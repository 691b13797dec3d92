// Names of results, made of what they were computed from and nothing else: contents by their SHA-256, choices in full.
// Pure functions, no DOM.
import { canonicalText } from "./same.js";

/**
 * @typedef {{sha256: string}} Content
 * @typedef {{identity: string}} Network its file and value ranges
 * @typedef {import("./samples.js").Sample} Sample
 */

/** What goes into a network: a part of a picture, as it is or shrunk. @param {Sample} sample @param {string} mode @param {number} scale */
export function inputKey({ picture, region }, mode, scale) {
  const { x, y, width, height } = region;
  return canonicalText([picture.sha256, x, y, width, height, mode, scale]);
}

/**
 * A method's result. `made` is what was learned of the network that the method uses: a calibration, optimized layers, or
 * nothing where it needs none. @param {string} input @param {Network} network @param {unknown} options @param {Content | undefined} [made]
 */
export function resultKey(input, network, options, made) {
  return canonicalText([input, network.identity, options, made?.sha256 ?? null]);
}

/**
 * The distributions of a sample. How they are normalized is chosen; without normalization the ranges are the calibration's.
 * @param {string} input @param {Network} network @param {import("./choices.js").PointSettings} points @param {Content | undefined} calibration
 */
export function analysisKey(input, network, { granularity, mean, normalization }, calibration) {
  const ranges = normalization === "none" ? (calibration?.sha256 ?? null) : null;
  return canonicalText([input, network.identity, granularity, mean, normalization, ranges]);
}
