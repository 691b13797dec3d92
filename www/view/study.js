// One channel in depth: what every way of choosing its points gives and takes.
import { CHOICES } from "../model/choices.js";
import { POINT_SOURCES } from "../pkg/facts.js";
import { element } from "./dom.js";
import { setRows, tableRow } from "./table.js";

/** @typedef {import("../model/bench.js").Bench} Bench */

/** What sources of points are called. */
const titles = new Map(POINT_SOURCES.map(([id, title]) => [id, title]));

const names = Object.fromEntries(CHOICES.find(({ name }) => name === "selection")?.values ?? []);

/** @param {number} count */
function large(count) {
  return count < 1e6 ? count.toLocaleString("en") : count.toExponential(1).replace("e+", " × 10^");
}

/** @param {number} s */
function time(s) {
  return s < 1 ? `${(s * 1000).toPrecision(3)} ms` : `${s.toFixed(1)} s`;
}

/** The table of the study of what is looked at, where there is one. */
export class StudyTable {
  #table;
  #bench;
  /** What the table shows. @type {import("../pkg/dfsq.js").Study | undefined} */
  #shown;

  /** @param {HTMLTableElement} table @param {Bench} bench @param {import("./errors.js").Errors} errors */
  constructor(table, bench, errors) {
    this.#table = table;
    this.#bench = bench;
    element("study").onclick = () => bench.inquiries.study().catch((/** @type {unknown} */ error) => errors.tell(error));
  }

  draw() {
    const { focus, inquiries, library, samples, scheduler, tasks } = this.#bench;
    const { studied } = inquiries;
    element("study").disabled = !scheduler.isAnalyzed(samples.current) || tasks.size > 0;
    this.#table.hidden = !studied;
    if (!studied || studied === this.#shown) return;
    this.#shown = studied;
    const { universal, levels, subsets, choices, formats, boundDb } = studied;
    const of = `${library.info?.layers[focus.layer].name}, channel ${focus.channel}, chosen for ${samples.current?.name} alone`;
    if (this.#table.caption) this.#table.caption.textContent = `${of}: ${levels} of ${universal} values, ${large(subsets)} subsets`;
    /** @type {[string, string, string, string][]} */
    const rows = choices.map(({ selection, points, db, seconds }) => [
      names[selection],
      points.length ? String(points.length) : "–",
      db == null ? "too many to try" : db.toFixed(3),
      seconds == null ? "–" : time(seconds),
    ]);
    for (const { source, points, db } of formats) rows.push([String(titles.get(source)), String(points.length), db == null ? "∞" : db.toFixed(3), "–"]);
    rows.push(["any real points (bound)", String(levels), boundDb.toFixed(3), "–"]);
    setRows(this.#table.tBodies[0], rows.map(([name, ...cells]) => tableRow(name, cells)));
  }
}
