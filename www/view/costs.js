// What each method would cost on hardware made for it.
import { METHOD_NAMES, NETWORK_METHODS } from "../model/plan.js";
import { setRows, tableRow } from "./table.js";

/** @typedef {import("../model/bench.js").Bench} Bench */

const kilo = (/** @type {number} */ bytes) => (bytes / 1000).toFixed(bytes && bytes < 9950 ? 1 : 0);

/** @param {import("../pkg/dfsq.js").AverageBits} average */
export const averageText = ({ weights, activations, bitOps }) => `${weights.toFixed(2)} of weights, ${activations.toFixed(2)} of activations, BitOPs of ${bitOps.toFixed(2)}`;

/** By widths, where these are few. @param {import("../pkg/dfsq.js").OperandMacs[]} all */
function macsText(all) {
  const line = (/** @type {number} */ macs, /** @type {string} */ bits) => `${(macs / 1e6).toFixed(2)} M of ${bits} bits`;
  const few = all.length <= 3 ? all : all.filter(({ weightBits, activationBits }) => weightBits === 32 && activationBits === 32);
  const mixed = all.filter((one) => !few.includes(one)).reduce((sum, { macs }) => sum + macs, 0);
  return [...few.map(({ weightBits, activationBits, macs }) => line(macs, `${weightBits} × ${activationBits}`)), ...(mixed ? [line(mixed, "mixed")] : [])].join("\n");
}

/** Draws the table of costs. @param {Bench} bench @param {HTMLTableElement} table */
export function drawCosts({ scheduler }, table) {
  const rows = NETWORK_METHODS.flatMap((method) => {
    const costs = scheduler.result(method)?.costs;
    if (!costs) return [];
    const { bytes, macsPerPixel, rescalingsPerPixel, bitOpsPerPixel, averageBits, product } = costs;
    /** @type {[string, string][]} */
    const cells = [
      ["bytes-codes", kilo(bytes.codes)],
      ["bytes-points", kilo(bytes.points)],
      ["bytes-scales", kilo(bytes.scales)],
      ["bytes-full", kilo(bytes.fullPrecision)],
      ["macs", macsText(macsPerPixel)],
      ["rescalings", rescalingsPerPixel ? `${(rescalingsPerPixel / 1e6).toFixed(2)} M` : "–"],
      ["bit-ops", (bitOpsPerPixel / 1e6).toFixed(1)],
      ["average-bits", averageBits ? averageText(averageBits) : "–"],
      ["product", product ? `${product.shifts.toFixed(2)} shifts, ${product.additions.toFixed(2)} additions` : "a multiplication"],
    ];
    return [tableRow(METHOD_NAMES[method], cells.map(([id, text]) => [`${id}-${method}`, text]), method)];
  });
  setRows(table.tBodies[0], rows);
}
