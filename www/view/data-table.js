// The numbers behind a figure, as a table below it, and to be saved.
import { setRows, tableRow } from "./table.js";

/** @typedef {string | number} Cell */
/** @typedef {{head: string[], rows: Cell[][]}} Data */
/** @typedef {(name: string, data: Data) => void} Save */

/** @param {Cell} cell */
const shown = (cell) => (typeof cell === "number" && !Number.isInteger(cell) ? (Number.isFinite(cell) ? String(Number(cell.toPrecision(5))) : "–") : String(cell));

export class DataTable {
  #details = document.createElement("details");
  #table = document.createElement("table");
  #data;
  /** What it shows now. */
  #text = "";

  #failed;

  /** @param {import("./figure.js").Figure} figure @param {() => Data | Promise<Data>} data asked for when it is to be seen @param {Save} save @param {(error: unknown) => void} failed */
  constructor(figure, data, save, failed) {
    this.#data = data;
    this.#failed = failed;
    const name = figure.at.dataset.testid ?? "figure";
    const summary = document.createElement("summary");
    summary.textContent = "Table";
    const csv = Object.assign(document.createElement("button"), { type: "button", textContent: "CSV", onclick: () => this.#now().then((now) => now && save(name, now)) });
    csv.dataset.testid = `${name}-csv`;
    const frame = document.createElement("div");
    frame.className = "table-frame scrolled";
    frame.tabIndex = 0;
    frame.role = "group";
    frame.ariaLabel = figure.at.ariaLabel;
    this.#table.append(document.createElement("thead"), document.createElement("tbody"));
    frame.append(this.#table);
    this.#details.className = "data";
    this.#details.append(summary, csv, frame);
    this.#details.addEventListener("toggle", () => this.draw());
    figure.at.after(this.#details);
  }

  /** Nothing where it cannot be had now. @returns {Promise<Data | undefined>} */
  async #now() {
    try {
      return await this.#data();
    } catch (error) {
      this.#failed(error);
      return undefined;
    }
  }

  async draw() {
    if (!this.#details.open) return;
    const now = await this.#now();
    if (!now) return;
    const { head, rows } = now;
    const text = JSON.stringify([head, rows]);
    if (text === this.#text) return;
    this.#text = text;
    const row = document.createElement("tr");
    row.append(...head.map((name) => Object.assign(document.createElement("th"), { textContent: name, scope: "col" })));
    if (this.#table.tHead) setRows(this.#table.tHead, [row]);
    setRows(this.#table.tBodies[0], rows.map(([first, ...cells]) => tableRow(shown(first), cells.map(shown))));
  }
}
