// What each method would cost on hardware made for it.
import { METHOD_NAMES, NETWORK_METHODS } from "../model/plan.js";
import { tableRow } from "./table.js";

/** @typedef {import("../model/bench.js").Bench} Bench */

const kilo = (/** @type {number} */ bytes) => (bytes / 1000).toFixed(bytes && bytes < 9950 ? 1 : 0);

/** @param {import("../pkg/dfsq.js").AverageBits} average */
export const averageText = ({ weights, activations, bitOps }) => `${weights.toFixed(2)} of weights, ${activations.toFixed(2)} of activations, BitOPs of ${bitOps.toFixed(2)}`;

/** Draws the table of costs. @param {Bench} bench @param {HTMLTableElement} table */
export function drawCosts({ scheduler }, table) {
  const rows = NETWORK_METHODS.flatMap((method) => {
    const costs = scheduler.result(method)?.costs;
    if (!costs) return [];
    const { bytes, macsPerPixel, bitOpsPerPixel, averageBits, product } = costs;
    const macs = macsPerPixel.map(({ weightBits, activationBits, macs }) => `${(macs / 1e6).toFixed(2)} M of ${weightBits} × ${activationBits} bits`);
    /** @type {[string, string][]} */
    const cells = [
      ["bytes-codes", kilo(bytes.codes)],
      ["bytes-points", kilo(bytes.points)],
      ["bytes-scales", kilo(bytes.scales)],
      ["bytes-full", kilo(bytes.fullPrecision)],
      ["macs", macs.join("\n")],
      ["bit-ops", (bitOpsPerPixel / 1e6).toFixed(1)],
      ["average-bits", averageBits ? averageText(averageBits) : "–"],
      ["product", product ? `${product.shifts.toFixed(2)} shifts, ${product.additions.toFixed(2)} additions` : "a multiplication"],
    ];
    return [tableRow(METHOD_NAMES[method], cells.map(([id, text]) => [`${id}-${method}`, text]), method)];
  });
  table.tBodies[0].replaceChildren(...rows);
}
