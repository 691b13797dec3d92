// One channel in depth: what every way of choosing its points gives and takes.
import { CHOICES } from "./settings.js";
import { tableRow } from "./table.js";

/** @typedef {import("./client.js").Study} Study */

const names = Object.fromEntries(CHOICES.find(({ name }) => name === "selection")?.values ?? []);

/** @param {number} count */
function large(count) {
  return count < 1e6 ? count.toLocaleString("en") : count.toExponential(1).replace("e+", " × 10^");
}

/** @param {number} s */
function time(s) {
  return s < 1 ? `${(s * 1000).toPrecision(3)} ms` : `${s.toFixed(1)} s`;
}

/** Shows a study in a table. @param {Study} study @param {HTMLTableElement} table */
export function drawStudy({ universal, levels, subsets, choices, boundDb }, table) {
  if (table.caption) table.caption.textContent = `${levels} of ${universal} values: ${large(subsets)} subsets. Chosen for this channel of this image alone`;
  /** @type {[string, string, string, string][]} */
  const rows = choices.map(({ selection, points, db, seconds }) => [
    names[selection],
    points.length ? String(points.length) : "–",
    db === null ? "too many to try" : db.toFixed(3),
    seconds === null ? "–" : time(seconds),
  ]);
  rows.push(["any real points (bound)", String(levels), boundDb.toFixed(3), "–"]);
  table.tBodies[0].replaceChildren(...rows.map(([name, ...cells]) => tableRow(name, cells)));
  table.hidden = false;
}
