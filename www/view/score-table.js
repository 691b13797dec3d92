// The table under the pictures.
import { METHOD_NAMES, NETWORK_METHODS } from "../model/plan.js";
import { setRows, tableRow } from "./table.js";

/** @typedef {import("../model/bench.js").Bench} Bench */
/** @typedef {import("../model/settings.js").Values} Values */

/** Bits of weights and activations. @param {Values} values @param {string} method */
export function bitsText({ weightBits, activationBits, layerBits }, method) {
  if (method === "fp32") return "32 / 32";
  if (!NETWORK_METHODS.includes(method)) return "–";
  return Object.keys(layerBits).length ? "mixed" : `${weightBits} / ${activationBits}`;
}

/** @param {number | undefined} value @param {number} digits */
export function decimal(value, digits) {
  if (value === undefined || Number.isNaN(value)) return "–";
  return Number.isFinite(value) ? value.toFixed(digits) : value > 0 ? "∞" : "−∞";
}

/** Draws the table of scores. @param {Bench} bench @param {HTMLTableElement} table */
export function drawScores(bench, table) {
  const { scheduler, settings } = bench;
  const against = settings.values.mode === "benchmark" ? "the reference image" : "the full-precision output";
  if (table.caption) table.caption.textContent = `Scores on luma against ${against}, border of ${bench.cost().scale} pixels left out`;
  const rows = ["fp32", "dfsq-opt", "dfsq", "min-max", "bicubic"].map((method) => {
    const [result, score] = [scheduler.result(method), scheduler.score(method)];
    const size = result?.costs ? (result.costs.totalBytes / 1000).toFixed(0) : result && method === "bicubic" ? "0" : "–";
    const cells = [
      bitsText(settings.values, method),
      [`psnr-${method}`, decimal(score?.psnrY, 3)],
      [`ssim-${method}`, decimal(score?.ssimY, 4)],
      [`full-${method}`, decimal(method === "fp32" ? undefined : scheduler.distance(method)?.score?.psnrY, 2)],
      [`time-${method}`, decimal(result?.seconds, 2)],
      [`size-${method}`, size],
    ];
    return tableRow(METHOD_NAMES[method], /** @type {(string | [string, string])[]} */ (cells), method);
  });
  setRows(table.tBodies[0], rows);
}
