// One channel in depth: what every way of choosing its points gives and takes.
import { CHOICES } from "../model/settings.js";
import { element } from "./dom.js";
import { tableRow } from "./table.js";

/** @typedef {import("../model/bench.js").Bench} Bench */

const names = Object.fromEntries(CHOICES.find(({ name }) => name === "selection")?.values ?? []);

/** @param {number} count */
function large(count) {
  return count < 1e6 ? count.toLocaleString("en") : count.toExponential(1).replace("e+", " × 10^");
}

/** @param {number} s */
function time(s) {
  return s < 1 ? `${(s * 1000).toPrecision(3)} ms` : `${s.toFixed(1)} s`;
}

/** The table of a study, which is hidden as soon as it speaks of something else than what is chosen. */
export class StudyTable {
  #table;
  #bench;
  /** What the table speaks of. */
  #shown = "";

  /** @param {HTMLTableElement} table @param {Bench} bench @param {import("./errors.js").Errors} errors */
  constructor(table, bench, errors) {
    this.#table = table;
    this.#bench = bench;
    element("study").onclick = () => this.#make().catch((error) => errors.tell(error));
  }

  /** Compares the ways of choosing points of the chosen channel. */
  async #make() {
    const key = this.#key();
    const { focus, library, samples, inquiries } = this.#bench;
    const { layer, channel } = focus;
    const of = `${library.info?.layers[layer].name}, channel ${channel}, chosen for ${samples.current?.name} alone`;
    const { universal, levels, subsets, choices, boundDb } = await inquiries.study(layer, channel);
    if (this.#table.caption) this.#table.caption.textContent = `${of}: ${levels} of ${universal} values, ${large(subsets)} subsets`;
    /** @type {[string, string, string, string][]} */
    const rows = choices.map(({ selection, points, db, seconds }) => [
      names[selection],
      points.length ? String(points.length) : "–",
      db == null ? "too many to try" : db.toFixed(3),
      seconds == null ? "–" : time(seconds),
    ]);
    rows.push(["any real points (bound)", String(levels), boundDb.toFixed(3), "–"]);
    this.#table.tBodies[0].replaceChildren(...rows.map(([name, ...cells]) => tableRow(name, cells)));
    this.#shown = key;
    this.draw();
  }

  draw() {
    const { samples, scheduler, tasks } = this.#bench;
    element("study").disabled = !scheduler.isAnalyzed(samples.current) || tasks.size > 0;
    this.#table.hidden = this.#key() !== this.#shown;
  }

  /** What a study depends on. */
  #key() {
    const { focus, samples, scheduler, settings } = this.#bench;
    const { layer, channel } = focus;
    const sample = samples.current;
    return JSON.stringify([layer, channel, sample && scheduler.analysisKey(sample), this.#bench.layerBits()[layer], settings.values.points]);
  }
}
