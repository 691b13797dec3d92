// Noise by layer and channel: a line and a heat map of what quantization does to every layer and channel.
import { METHOD_NAMES, QUANTIZED_METHODS } from "../model/plan.js";
import { DataTable } from "./data-table.js";
import { element, find, say } from "./dom.js";
import { Figure } from "./figure.js";
import { point } from "./pointing.js";
import { decimal } from "./score-table.js";

/** @typedef {import("../model/bench.js").Bench} Bench */
/** @typedef {import("../model/results.js").Result} Result */

/** Steps of the ends of the colours, in dB. */
const STEP = 5;

const words = (/** @type {number | undefined} */ db) => (db === Infinity ? "exact" : db === -Infinity ? "all zero, not reproduced" : db === undefined ? "not known" : `${decimal(db, 1)} dB`);

export class NoisePanel {
  #bench;
  #layers;
  #map;
  #methods = element("heat-method");
  /** What is kept that the map was asked to show, for as long as its method is looked at. */
  #kept = "";
  /** What is offered of what is kept, as it was drawn. */
  #listed = "";
  #tables;
  /** What the heat map was made of, and what was made. @type {{of: Result, decibels: number[][], scale: number[], name: number} | undefined} */
  #made;

  /** @param {Bench} bench @param {import("./data-table.js").Save} save @param {(error: unknown) => void} failed */
  constructor(bench, save, failed) {
    this.#bench = bench;
    const { focus } = bench;
    this.#layers = new Figure(element("layers-figure"), 0.13, () => this.draw(), failed);
    this.#map = new Figure(element("heat-map"), 0.22, () => this.draw(), failed);
    this.#tables = [new DataTable(this.#layers, () => this.#layerData(), save, failed), new DataTable(this.#map, () => this.#channelData(), save, failed)];
    this.#methods.addEventListener("change", (/** @type {Event} */ event) => {
      const { value } = /** @type {HTMLInputElement} */ (event.target);
      this.#kept = bench.contenders.isKept(value) ? value : "";
      focus.set({ method: bench.contenders.get(value).method });
      bench.changed();
    });
    element("bisect").onclick = () => focus.toggleFull();
    point(this.#layers, {
      read: (x) => this.#readLayer(focus.layers[Math.round(x)]),
      choose: (x) => focus.set({ layer: focus.layers[Math.round(x)] ?? focus.layer }),
      step: (dx) => {
        const place = this.#step(dx);
        return { at: [place, 0], text: this.#readLayer(focus.layer) };
      },
    });
    point(this.#map, {
      read: (x, y) => this.#readCell(...this.#cell(x, y)),
      choose: (x, y) => {
        const [layer, channel] = this.#cell(x, y);
        if (layer !== undefined) focus.set({ layer, channel });
      },
      step: (dx, dy) => {
        const place = this.#step(dx);
        focus.set({ channel: focus.channel + dy });
        return { at: [place, 1 - (focus.channel + 0.5) / focus.channels], text: this.#readCell(focus.layer, focus.channel) };
      },
    });
  }

  /** What is kept that has noise in the layers of the network in use. */
  get #offered() {
    return this.#bench.contenders.kept.filter(({ method, chosen }) => QUANTIZED_METHODS.includes(method) && !chosen.library);
  }

  /** The contender whose channels the map shows. */
  get #shown() {
    const { method } = this.#bench.focus;
    return this.#offered.find((one) => one.id === this.#kept && one.method === method)?.id ?? method;
  }

  /** The methods that can be shown, and what is kept of them. */
  #drawMethods() {
    const { contenders } = this.#bench;
    const listed = this.#offered.map(({ id }) => [id, contenders.title(id)]);
    if (JSON.stringify(listed) !== this.#listed) {
      this.#listed = JSON.stringify(listed);
      for (const label of this.#methods.querySelectorAll("label[data-kept]")) label.remove();
      for (const [id, title] of listed) {
        const label = document.createElement("label");
        label.dataset.kept = id;
        label.append(Object.assign(document.createElement("input"), { type: "radio", name: "heat-method", value: id }), Object.assign(document.createElement("span"), { textContent: title }));
        this.#methods.append(label);
      }
    }
    for (const input of this.#methods.querySelectorAll("input")) input.checked = input.value === this.#shown;
  }

  /** Goes to a layer beside the one that is looked at; answers where it stands. @param {number} by */
  #step(by) {
    const { focus } = this.#bench;
    const place = Math.max(0, Math.min(focus.layers.indexOf(focus.layer) + by, focus.layers.length - 1));
    focus.set({ layer: focus.layers[place] });
    return place;
  }

  /** @param {number} x @param {number} y @returns {[number, number]} layer and channel */
  #cell(x, y) {
    const { focus, library } = this.#bench;
    const layer = focus.layers[Math.round(x)];
    const count = library.info?.layers[layer]?.inputs ?? 1;
    return [layer, Math.max(0, Math.min(Math.floor((1 - y) * count), count - 1))];
  }

  /** @param {number | undefined} layer */
  #readLayer(layer) {
    const { focus, library } = this.#bench;
    const name = layer === undefined ? undefined : library.info?.layers[layer]?.name;
    if (!name) return "";
    const lines = QUANTIZED_METHODS.map((method) => {
      const { inputs, weights } = focus.noise(method, layer);
      return `${METHOD_NAMES[method]}: inputs ${words(inputs)}, weights ${words(weights)}`;
    });
    return [name, ...lines].join("\n");
  }

  /** @param {number} layer @param {number} channel */
  #readCell(layer, channel) {
    const { focus, library } = this.#bench;
    const name = library.info?.layers[layer]?.name;
    if (!name) return "";
    const { inputs, channels } = focus.noise(this.#shown, layer);
    return `${name}, channel ${channel}: ${words(channels?.[channel])}\nthe layer: ${words(inputs)}`;
  }

  /** What the heat map shows, made once for a result; `name` is another number for another one. @param {Result} of @param {number[]} layers */
  #channels(of, layers) {
    if (this.#made?.of === of) return this.#made;
    const decibels = layers.map((layer) => [...(of.channelDb?.[layer] ?? [])]);
    // A few that are very bad, or very good, do not make all others alike.
    const known = decibels.flat().filter(Number.isFinite).sort((a, b) => a - b);
    const quantile = (/** @type {number} */ share) => known[Math.round(share * (known.length - 1))] ?? 0;
    const low = Math.floor(quantile(0.01) / STEP);
    const scale = [low * STEP, Math.max(Math.ceil(quantile(0.99) / STEP), low + 1) * STEP];
    this.#made = { of, decibels, scale, name: (this.#made?.name ?? 0) + 1 };
    return this.#made;
  }

  draw() {
    const { contenders, engines, focus, library, scheduler } = this.#bench;
    this.#drawMethods();
    element("bisect").disabled = !focus.layers.length;
    element("bisect").ariaPressed = String(focus.isFull);
    say(find("span", element("bisect")), library.info?.layers[focus.layer]?.name ?? "this layer");
    const results = QUANTIZED_METHODS.map((method) => scheduler.result(method));
    for (const table of this.#tables) table.draw();
    const { layers } = focus;
    // Old figures are marked as such.
    const known = layers.length > 0 && results.some(Boolean);
    element("noise").classList.toggle("stale", !known);
    if (!known) return;
    const pick = (/** @type {"layerDb" | "weightDb"} */ of) => /** @type {[number[], number[], number[]]} */ (results.map((result) => layers.map((layer) => result?.[of]?.[layer] ?? NaN)));
    const [inputs, weights] = [pick("layerDb"), pick("weightDb")];
    const selected = layers.indexOf(focus.layer);
    this.#layers.draw(JSON.stringify([inputs, weights, selected]), (style) => engines.images.call("layersFigure", [{ style, inputs, weights, selected }]), () => `Signal to quantization noise of all layers. ${this.#readLayer(focus.layer)}`);

    const own = scheduler.result(this.#shown);
    this.#map.at.classList.toggle("stale", !own);
    if (!own) return;
    const { decibels, scale, name } = this.#channels(own, layers);
    /** @type {{decibels: number[][], scale: [number, number], selected: [number, number]}} */
    const request = { decibels, scale: [scale[0], scale[1]], selected: [selected, focus.channel] };
    this.#map.draw(JSON.stringify([name, request.selected]), (style) => engines.images.call("heatMapFigure", [{ style, ...request }]), () => `Signal to quantization noise of every channel with ${contenders.title(this.#shown)}. ${this.#readCell(focus.layer, focus.channel)}`);
  }

  /** @param {number} layer */
  #name(layer) {
    return this.#bench.library.info?.layers[layer].name ?? "";
  }

  #layerData() {
    const { focus } = this.#bench;
    const head = ["layer", ...QUANTIZED_METHODS.flatMap((method) => [`${METHOD_NAMES[method]} inputs, dB`, `${METHOD_NAMES[method]} weights, dB`])];
    const cells = (/** @type {number} */ layer) => QUANTIZED_METHODS.flatMap((method) => [focus.noise(method, layer).inputs ?? NaN, focus.noise(method, layer).weights ?? NaN]);
    return { head, rows: focus.layers.map((layer) => [this.#name(layer), ...cells(layer)]) };
  }

  #channelData() {
    const { contenders, focus } = this.#bench;
    const rows = focus.layers.flatMap((layer) => [...(focus.noise(this.#shown, layer).channels ?? [])].map((db, channel) => [this.#name(layer), channel, db]));
    return { head: ["layer", "channel", `${contenders.title(this.#shown)}, dB`], rows };
  }

  /** The figures' SVG texts. */
  get figures() {
    return [this.#layers, this.#map].flatMap(({ svg }) => (svg ? [svg.outerHTML] : []));
  }
}
