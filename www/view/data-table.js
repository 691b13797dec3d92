// The numbers behind a figure, as a table below it, and to be saved.
import { tableRow } from "./table.js";

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

  /** @param {import("./figure.js").Figure} figure @param {() => Data | Promise<Data>} data asked for when it is to be seen @param {Save} save */
  constructor(figure, data, save) {
    this.#data = data;
    const name = figure.at.dataset.testid ?? "figure";
    const summary = document.createElement("summary");
    summary.textContent = "Table";
    const csv = Object.assign(document.createElement("button"), { type: "button", textContent: "CSV", onclick: async () => save(name, await data()) });
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

  async draw() {
    if (!this.#details.open) return;
    const { head, rows } = await this.#data();
    const text = JSON.stringify([head, rows]);
    if (text === this.#text) return;
    this.#text = text;
    const row = document.createElement("tr");
    row.append(...head.map((name) => Object.assign(document.createElement("th"), { textContent: name, scope: "col" })));
    this.#table.tHead?.replaceChildren(row);
    this.#table.tBodies[0].replaceChildren(...rows.map(([first, ...cells]) => tableRow(shown(first), cells.map(shown))));
  }
}
