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
  const { contenders, scheduler, settings, timing } = bench;
  const against = settings.values.mode === "benchmark" ? "the reference image" : "the full-precision output";
  if (table.caption) table.caption.textContent = `Scores on luma against ${against}, border of ${bench.cost().scale} pixels left out`;
  const kept = (/** @type {string} */ method) => contenders.kept.filter((one) => one.method === method).map(({ id }) => id);
  const ids = ["fp32", "dfsq-opt", "dfsq", "min-max", "bicubic"].flatMap((method) => [method, ...kept(method)]);
  const rows = ids.map((id) => {
    const { method, chosen } = contenders.get(id);
    const [result, score] = [scheduler.result(id), scheduler.score(id)];
    const size = result?.costs ? (result.costs.totalBytes / 1000).toFixed(0) : result && method === "bicubic" ? "0" : "–";
    const cells = [
      bitsText(chosen.values, method),
      [`psnr-${id}`, decimal(score?.psnrY, 3)],
      [`ssim-${id}`, decimal(score?.ssimY, 4)],
      [`full-${id}`, decimal(method === "fp32" ? undefined : scheduler.distance(id)?.score?.psnrY, 2)],
      [`time-${id}`, decimal(timing.of(id), 2)],
      [`size-${id}`, size],
    ];
    return tableRow([METHOD_NAMES[method], contenders.isKept(id) && (contenders.networkName(chosen) ?? "kept")].filter(Boolean).join(", "), /** @type {(string | [string, string])[]} */ (cells), method);
  });
  setRows(table.tBodies[0], rows);
  // Without a measurement there is no such column.
  table.classList.toggle("timed", timing.isKnown);
}
