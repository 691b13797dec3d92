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

/** The table of a study, which is hidden as soon as it speaks of something else than what is chosen. */
export class StudyTable {
  #table;
  #laboratory;
  #analyzer;
  /** What the table speaks of. */
  #shown = "";

  /** @param {HTMLTableElement} table @param {import("./laboratory.js").Laboratory} laboratory @param {import("./analyzer.js").Analyzer} analyzer */
  constructor(table, laboratory, analyzer) {
    this.#table = table;
    this.#laboratory = laboratory;
    this.#analyzer = analyzer;
  }

  /** Compares the ways of choosing points of the chosen channel. */
  async make() {
    const key = this.#key();
    const [layer, channel] = [this.#analyzer.layer(), this.#analyzer.channel()];
    const { info, sample } = this.#laboratory;
    const { universal, levels, subsets, choices, boundDb } = /** @type {Study} */ (await this.#laboratory.study(layer, channel));
    const of = `${info?.layers[layer].name}, channel ${channel}, chosen for ${sample?.name} alone`;
    if (this.#table.caption) this.#table.caption.textContent = `${of}: ${levels} of ${universal} values, ${large(subsets)} subsets`;
    /** @type {[string, string, string, string][]} */
    const rows = choices.map(({ selection, points, db, seconds }) => [
      names[selection],
      points.length ? String(points.length) : "–",
      db === null ? "too many to try" : db.toFixed(3),
      seconds === null ? "–" : time(seconds),
    ]);
    rows.push(["any real points (bound)", String(levels), boundDb.toFixed(3), "–"]);
    this.#table.tBodies[0].replaceChildren(...rows.map(([name, ...cells]) => tableRow(name, cells)));
    this.#shown = key;
    this.draw();
  }

  draw() {
    this.#table.hidden = this.#key() !== this.#shown;
  }

  /** What a study depends on. */
  #key() {
    const { active, analyzed, settings } = this.#laboratory;
    const layer = this.#analyzer.layer();
    return JSON.stringify([layer, this.#analyzer.channel(), analyzed.get(active), this.#laboratory.layerBits()[layer], settings.points]);
  }
}
