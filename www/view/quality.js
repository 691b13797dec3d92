// The current sample's quality over bits: a figure to click on, and what is missing of it.
import { METHOD_NAMES, QUANTIZED_METHODS } from "../model/plan.js";
import { uniform } from "../model/choices.js";
import { DataTable } from "./data-table.js";
import { element } from "./dom.js";
import { Figure } from "./figure.js";
import { point } from "./pointing.js";
import { decimal } from "./score-table.js";

/** @typedef {import("../model/bench.js").Bench} Bench */

/** Height over width. */
const ASPECT = 0.36;

export class QualityFigure {
  #bench;
  #figure;
  #table;

  /** @param {Bench} bench @param {import("./data-table.js").Save} save @param {import("./errors.js").Errors} errors */
  constructor(bench, save, errors) {
    this.#bench = bench;
    const { quality, settings } = bench;
    element("fill-quality").onclick = () => quality.fill().catch((error) => errors.tell(error));
    this.#figure = new Figure(element("quality"), ASPECT, () => this.draw(), (error) => errors.tell(error));
    const data = () => ({ head: ["bits", ...QUANTIZED_METHODS.map((method) => `${METHOD_NAMES[method]}, dB`)], rows: quality.widths.map((bits, i) => [bits, ...quality.decibels.map((values) => values[i])]) });
    this.#table = new DataTable(this.#figure, data, save, (error) => errors.tell(error));
    const choose = (/** @type {number} */ index) => quality.widths[index] && settings.set(uniform(quality.widths[index]));
    point(this.#figure, {
      read: (x) => this.#read(Math.round(x)),
      choose: (x) => choose(Math.round(x)),
      step: (dx) => {
        const index = Math.max(0, Math.min(quality.selected + dx, quality.widths.length - 1));
        choose(index);
        return { at: [index, 0], text: this.#read(index) };
      },
    });
  }

  /** @param {number} index of a width */
  #read(index) {
    const { quality } = this.#bench;
    const lines = QUANTIZED_METHODS.map((method, i) => `${METHOD_NAMES[method]} ${decimal(quality.decibels[i][index], 2)} dB`);
    return quality.widths[index] ? [`${quality.widths[index]} bits`, ...lines].join("\n") : "";
  }

  draw() {
    const { engines, quality, samples, scheduler } = this.#bench;
    element("fill-quality").disabled = !quality.canFill;
    this.#table.draw();
    if (!samples.current) return;
    const { widths, decibels, selected } = quality;
    const full = scheduler.score("fp32")?.psnrY ?? NaN;
    const request = { widths, decibels, full, selected: selected < 0 ? widths.length : selected };
    const line = (/** @type {string} */ method, /** @type {number} */ i) => `${METHOD_NAMES[method]}: ${widths.map((bits, at) => `${bits} bits ${decimal(decibels[i][at], 2)}`).join(", ")}`;
    const label = () => `PSNR in dB over bits. ${QUANTIZED_METHODS.map(line).join(". ")}`;
    this.#figure.draw(JSON.stringify(request), (style) => engines.images.call("qualityFigure", [{ style, ...request }]), label);
  }
}
