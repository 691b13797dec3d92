// The analyzer: layer and channel, and the figures that the full-precision worker draws of them.
import { isCancelled } from "../engine/client.js";
import { dark, element } from "./dom.js";

/** @typedef {import("../model/bench.js").Bench} Bench */
/** @typedef {import("../pkg/dfsq.js").FigureRequest} FigureRequest */

/** Height over width of every figure. */
const ASPECT = 220 / 480;

export class Analyzer {
  #layer = /** @type {HTMLSelectElement} */ (element("layer"));
  #channel = /** @type {HTMLSelectElement} */ (element("channel"));
  #figures = /** @type {HTMLElement[]} */ ([...document.querySelectorAll("figure[data-kind]")]);
  /** What each figure shows now, so that it is drawn again only when that changes. @type {Map<string, string>} */
  #shown = new Map();
  /** The network whose layers are listed. */
  #network = "";
  #bench;
  #failed;

  /** @param {Bench} bench @param {(error: unknown) => void} failed */
  constructor(bench, failed) {
    this.#bench = bench;
    this.#failed = failed;
    this.#layer.addEventListener("change", () => {
      this.#fillChannels();
      bench.changed();
    });
    this.#channel.addEventListener("change", () => bench.changed());
    dark.addEventListener("change", () => this.draw());
    new ResizeObserver(() => this.draw()).observe(this.#figures[0]);
  }

  /** Index of the chosen layer among the network's. */
  layer() {
    return Number(this.#layer.value);
  }

  channel() {
    return Number(this.#channel.value);
  }

  #fillLayers() {
    const { info } = this.#bench.library;
    if (!info || this.#network === info.sha256) return;
    this.#network = info.sha256;
    const before = this.#layer.selectedOptions[0]?.text;
    const options = info.layers.flatMap((layer, index) => (layer.quantized ? [new Option(layer.name, String(index))] : []));
    this.#layer.replaceChildren(...options);
    const same = options.find((option) => option.text === before) ?? options[0];
    if (same) same.selected = true;
    this.#fillChannels();
  }

  #fillChannels() {
    const count = this.#bench.library.info?.layers[this.layer()]?.inputs ?? 0;
    const before = Math.min(Number(this.#channel.value), count - 1);
    this.#channel.replaceChildren(...Array.from({ length: count }, (_, i) => new Option(String(i), String(i), i === before, i === before)));
  }

  /** The figures' SVG texts. */
  figures() {
    return this.#figures.map((figure) => figure.innerHTML).filter(Boolean);
  }

  /** The distributions of the chosen layer, where they are known. @returns {Promise<import("../pkg/dfsq.js").ChannelSummary[]>} */
  async distributions() {
    const { engines, samples, scheduler } = this.#bench;
    const sample = samples.current;
    if (!sample || !scheduler.isAnalyzed(sample) || engines.fp32.busy) return [];
    return engines.fp32.call("distributions", [scheduler.analysisKey(sample), this.layer()]);
  }

  /** Draws what has changed. Does nothing while the worker is busy: when it is done, there is another change. */
  draw() {
    this.#fillLayers();
    const { engines, samples, scheduler } = this.#bench;
    const known = scheduler.isAnalyzed(samples.current);
    this.#figures[0].parentElement?.classList.toggle("stale", !known);
    if (!known || engines.fp32.busy) return;
    for (const figure of this.#figures) this.#draw(figure);
  }

  /** @param {HTMLElement} figure @returns {FigureRequest | undefined} */
  #request(figure) {
    const { samples, scheduler, settings } = this.#bench;
    const width = Math.round(figure.clientWidth);
    if (!width) return undefined;
    const kind = /** @type {FigureRequest["kind"]} */ (figure.dataset.kind);
    const decibels = (/** @type {string} */ method) => [...(kind === "layers" ? (scheduler.result(method)?.layerDb ?? []) : [])];
    return {
      kind,
      layer: this.layer(),
      samples: samples.list.map((sample) => ({ key: scheduler.analysisKey(sample) ?? "", name: sample.name })),
      sample: samples.active,
      channel: this.channel(),
      options: /** @type {FigureRequest["options"]} */ (settings.options("dfsq")),
      decibels: [decibels("dfsq-opt"), decibels("dfsq"), decibels("min-max")],
      style: { width, height: Math.round(width * ASPECT), dark: dark.matches },
    };
  }

  /** @param {HTMLElement} figure */
  async #draw(figure) {
    const { engines, library, making, samples, scheduler } = this.#bench;
    const request = this.#request(figure);
    if (!request) return;
    const { kind } = request;
    const { network } = library;
    const { calibration, optimized } = making;
    // All that the worker draws it from.
    const analyzed = samples.list.map((sample) => scheduler.isAnalyzed(sample));
    const key = JSON.stringify([request, analyzed, library.info?.sha256, calibration?.sha256, optimized?.variants.map(({ sha256 }) => sha256)]);
    if (this.#shown.get(kind) === key) return;
    this.#shown.set(kind, key);
    try {
      const svg = await engines.fp32.call("figure", [request], { assets: { network, calibration, optimized } });
      if (this.#shown.get(kind) !== key) return;
      figure.innerHTML = svg;
      figure.firstElementChild?.setAttribute("aria-label", figure.ariaLabel ?? kind);
      // What was asked for while the worker drew is drawn now.
      this.#bench.changed();
    } catch (error) {
      this.#shown.delete(kind);
      // A stopped worker is asked again when it is back.
      if (!isCancelled(error)) this.#failed(error);
    }
  }
}
