// The analyzer: layer, sample and channel, and the figures that the full-precision worker draws of them.

import { EngineError } from "./client.js";

/** Height over width of every figure. */
const ASPECT = 220 / 480;

const dark = matchMedia("(prefers-color-scheme: dark)");

export class Analyzer {
  #layer = /** @type {HTMLSelectElement} */ (document.getElementById("layer"));
  #sample = /** @type {HTMLSelectElement} */ (document.getElementById("sample"));
  #channel = /** @type {HTMLSelectElement} */ (document.getElementById("channel"));
  #figures = /** @type {HTMLElement[]} */ ([...document.querySelectorAll("figure[data-kind]")]);
  /** What each figure shows now, so that it is drawn again only when that changes. @type {Map<string, string>} */
  #shown = new Map();

  /** @param {import("./laboratory.js").Laboratory} laboratory */
  constructor(laboratory) {
    this.laboratory = laboratory;
    this.#layer.addEventListener("change", () => {
      this.#fillChannels();
      this.refresh();
    });
    this.#channel.addEventListener("change", () => this.refresh());
    dark.addEventListener("change", () => this.refresh());
    new ResizeObserver(() => this.refresh()).observe(this.#figures[0]);
  }

  /** Index of the chosen layer among the network's. */
  layer() {
    return Number(this.#layer.value);
  }

  channel() {
    return Number(this.#channel.value);
  }

  networkChanged() {
    const layers = this.laboratory.info?.layers ?? [];
    const before = this.#layer.selectedOptions[0]?.text;
    const options = layers.flatMap((layer, index) => (layer.quantized ? [new Option(layer.name, String(index))] : []));
    this.#layer.replaceChildren(...options);
    const same = options.find((option) => option.text === before) ?? options[0];
    if (same) same.selected = true;
    this.#fillChannels();
  }

  #fillChannels() {
    const count = this.laboratory.info?.layers[this.layer()]?.inputs ?? 0;
    const before = Math.min(Number(this.#channel.value), count - 1);
    this.#channel.replaceChildren(...Array.from({ length: count }, (_, i) => new Option(String(i), String(i), i === before, i === before)));
  }

  samplesChanged() {
    const { samples, active } = this.laboratory;
    this.#sample.replaceChildren(...samples.map(({ name }, i) => new Option(name, String(i), i === active, i === active)));
  }

  /** The figures' SVG texts. */
  figures() {
    return this.#figures.map((figure) => figure.innerHTML).filter(Boolean);
  }

  /** Draws what has changed. Does nothing while the worker is busy: its next answer brings another refresh. */
  refresh() {
    const { laboratory } = this;
    const known = laboratory.activeIsAnalyzed;
    this.#figures[0].parentElement?.classList.toggle("stale", !known);
    if (!known || laboratory.engines.fp32.busy) return;
    for (const figure of this.#figures) this.#draw(figure);
  }

  /** @param {HTMLElement} figure */
  async #draw(figure) {
    const { laboratory } = this;
    const kind = String(figure.dataset.kind);
    const width = Math.round(figure.clientWidth);
    if (!width) return;
    const decibels = (/** @type {string} */ method) => [...(laboratory.result(method)?.layerDb ?? [])];
    const request = {
      kind,
      layer: this.layer(),
      sample: laboratory.active,
      channel: this.channel(),
      options: laboratory.options("dfsq"),
      dfsq: kind === "layers" ? decibels("dfsq") : [],
      dfsqOpt: kind === "layers" ? decibels("dfsq-opt") : [],
      minMax: kind === "layers" ? decibels("min-max") : [],
      style: { width, height: Math.round(width * ASPECT), dark: dark.matches },
    };
    const key = JSON.stringify([request, [...laboratory.analyzed], laboratory.info?.sha256, laboratory.calibrations.id, laboratory.optimizations.id(laboratory.settings), laboratory.optimizing]);
    if (this.#shown.get(kind) === key) return;
    this.#shown.set(kind, key);
    try {
      const svg = await laboratory.engines.fp32.call("figure", [request]);
      if (this.#shown.get(kind) !== key) return;
      figure.innerHTML = svg;
      figure.firstElementChild?.setAttribute("aria-label", figure.ariaLabel ?? kind);
      laboratory.dispatchEvent(new Event("change"));
    } catch (error) {
      // A stopped worker is asked again when it is back.
      this.#shown.delete(kind);
      if (!(error instanceof EngineError) || error.kind !== "cancelled") throw error;
    }
  }
}
