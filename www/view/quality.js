// The current sample's quality over bits: a figure to click on, and what is missing of it.
import { METHOD_NAMES } from "../model/plan.js";
import { uniform } from "../model/settings.js";
import { dark, element } from "./dom.js";
import { decimal } from "./score-table.js";

/** @typedef {import("../model/bench.js").Bench} Bench */

/** Height over width. */
const ASPECT = 0.36;

export class QualityFigure {
  #bench;
  #errors;
  #figure = element("quality");
  /** What the figure shows now. */
  #shown = "";

  /** @param {Bench} bench @param {import("./errors.js").Errors} errors */
  constructor(bench, errors) {
    this.#bench = bench;
    this.#errors = errors;
    element("fill-quality").onclick = () => bench.quality.fill().catch((error) => errors.tell(error));
    this.#figure.addEventListener("click", (/** @type {MouseEvent} */ event) => this.#choose(event));
    dark.addEventListener("change", () => this.draw());
    new ResizeObserver(() => this.draw()).observe(this.#figure);
  }

  /** Switches to the width that was clicked. @param {MouseEvent} event */
  #choose({ clientX }) {
    const svg = this.#figure.querySelector("svg");
    if (!svg) return;
    const { widths } = this.#bench.quality;
    const { left, width } = svg.getBoundingClientRect();
    const [first, last] = svg.dataset.plot.split(" ").map(Number);
    const x = ((clientX - left) / width) * svg.viewBox.baseVal.width;
    const chosen = widths[Math.floor(((x - first) / (last - first)) * widths.length)];
    if (chosen) this.#bench.settings.set(uniform(chosen));
  }

  async draw() {
    const { engines, quality, samples, scheduler } = this.#bench;
    element("fill-quality").disabled = !quality.canFill;
    const width = Math.round(this.#figure.clientWidth);
    if (!width || !samples.current) return;
    const { widths, decibels, selected } = quality;
    const full = scheduler.score("fp32")?.psnrY ?? NaN;
    const style = { width, height: Math.round(width * ASPECT), dark: dark.matches };
    const request = { style, widths, decibels, full, selected: selected < 0 ? widths.length : selected };
    const shown = JSON.stringify(request);
    if (shown === this.#shown) return;
    this.#shown = shown;
    try {
      const svg = await engines.images.call("qualityFigure", [request]);
      if (shown !== this.#shown) return;
      this.#figure.innerHTML = svg;
      const line = (/** @type {number[]} */ values, /** @type {string} */ method) => `${METHOD_NAMES[method]}: ${widths.map((bits, i) => `${bits} bits ${decimal(values[i], 2)}`).join(", ")}`;
      const [opt, dfsq, minMax] = decibels;
      this.#figure.firstElementChild?.setAttribute("aria-label", `PSNR in dB over bits. ${[line(opt, "dfsq-opt"), line(dfsq, "dfsq"), line(minMax, "min-max")].join(". ")}`);
    } catch (error) {
      this.#shown = "";
      this.#errors.tell(error);
    }
  }
}
