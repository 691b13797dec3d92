// Why: the layer and channel that are looked at, in figures that the full-precision worker draws.
import { METHOD_NAMES, QUANTIZED_METHODS } from "../model/plan.js";
import { ChannelMaps } from "./channel-maps.js";
import { element, find, say } from "./dom.js";
import { Figure } from "./figure.js";
import { point } from "./pointing.js";
import { sumText } from "./point-words.js";
import { decimal } from "./score-table.js";

/**
 * @typedef {import("../model/bench.js").Bench} Bench
 * @typedef {import("../pkg/dfsq.js").FigureRequest} FigureRequest
 * @typedef {import("../pkg/dfsq.js").ChannelPicture} ChannelPicture
 * @typedef {import("../pkg/dfsq.js").ChannelSummary} ChannelSummary
 * @typedef {import("../pkg/dfsq.js").PointView} PointView
 * @typedef {import("../pkg/dfsq.js").KernelView} KernelView
 * @typedef {{counts: number[], methods: import("../pkg/dfsq.js").MethodView[]}} Histogram
 */

/** Height over width. */
const ASPECT = 0.36;
/** How near the pointer must be to a point, on the normalized axis, to grasp it. */
const NEAR = 0.02;
/** How a histogram's axis is divided: the rugs lie below 0 in this order. */
const RUG = 0.2;

const percent = (/** @type {number} */ share) => `${(100 * share).toPrecision(share < 0.1 ? 2 : 3)} %`;

export class Analyzer {
  #bench;
  #failed;
  #layer = /** @type {HTMLSelectElement} */ (element("layer"));
  #channel = /** @type {HTMLSelectElement} */ (element("channel"));
  #kernel = /** @type {HTMLSelectElement} */ (element("kernel"));
  #order = /** @type {HTMLSelectElement} */ (element("channel-order"));
  /** @type {Record<FigureRequest["kind"], Figure>} */
  #figures;
  #maps;
  /** The network whose layers are listed, and the layer whose channels. */
  #listed = "";
  /** What is known of the channel that is looked at. @type {{of: string, channel: ChannelPicture} | undefined} */
  #seen;
  /** What is being looked at. */
  #looking = "";
  /** Of the layer, and what that is of. @type {{of: string, channels: ChannelSummary[]}} */
  #summaries = { of: "", channels: [] };
  /** The kernel that is looked at. @type {KernelView | undefined} */
  #weights;
  /** The point that arrow keys have come to. */
  #at = 0;

  /** @param {Bench} bench @param {import("./compare-view.js").CompareView} view @param {(error: unknown) => void} failed */
  constructor(bench, view, failed) {
    this.#bench = bench;
    this.#failed = failed;
    const { focus } = bench;
    const figure = (/** @type {string} */ kind) => new Figure(find(`figure[data-kind=${kind}]`, document), ASPECT, () => this.draw(), failed);
    this.#figures = { channels: figure("channels"), samples: figure("samples"), histogram: figure("histogram"), weights: figure("weights"), "universal-set": figure("universal-set") };
    this.#maps = new ChannelMaps(view);
    this.#layer.addEventListener("change", () => focus.set({ layer: Number(this.#layer.value) }));
    this.#channel.addEventListener("change", () => focus.set({ channel: Number(this.#channel.value) }));
    for (const id of ["channel-order", "histogram-raw", "histogram-linear"]) element(id).addEventListener("change", () => this.draw());
    this.#kernel.addEventListener("change", () => this.draw());
    element("reset-points").onclick = () => focus.movePoints(undefined);
    this.#point();
  }

  #point() {
    const { focus, samples } = this.#bench;
    const { channels, histogram, samples: others, weights, "universal-set": universal } = this.#figures;
    point(channels, {
      read: (x) => this.#readChannel(this.#ordered()[Math.round(x)]),
      choose: (x) => focus.set({ channel: this.#ordered()[Math.round(x)] }),
      step: (dx) => {
        const order = this.#ordered();
        const place = Math.max(0, Math.min(order.indexOf(focus.channel) + dx, order.length - 1));
        focus.set({ channel: order[place] });
        return { at: [place, 0], text: this.#readChannel(focus.channel) };
      },
    });
    const known = () => samples.list.flatMap((sample, index) => (this.#bench.scheduler.isAnalyzed(sample) ? [index] : []));
    point(others, {
      read: (x) => samples.list[known()[Math.round(x)]]?.name ?? "",
      choose: (x) => known()[Math.round(x)] !== undefined && this.#bench.chooseSample(known()[Math.round(x)]),
    });
    point(histogram, {
      read: (x, y) => {
        const view = this.#seen?.channel.view;
        return view ? this.#readHistogram(histogram, view, x, y, `${decimal(x, 2)} normalized, ${decimal(x * view.range + view.mean, 3)} as it is`) : "";
      },
      step: (dx, _, shift) => {
        const points = this.#own()?.points ?? [];
        if (!points.length) return undefined;
        if (shift) this.#move(this.#at, points[this.#at].value + dx / 256);
        else this.#at = Math.max(0, Math.min(this.#at + dx, points.length - 1));
        const row = QUANTIZED_METHODS.indexOf(focus.method);
        return { at: [points[this.#at].value, -RUG * (row + 0.5) * this.#top(histogram)], text: this.#readPoint(points[this.#at]) };
      },
      grasp: (x, y) => {
        const points = this.#own()?.points ?? [];
        if (this.#rugAt(histogram, y) !== focus.method || focus.method === "min-max") return undefined;
        const index = nearest(points, x);
        return Math.abs(points[index]?.value - x) < NEAR ? (to) => this.#move(index, to) : undefined;
      },
    });
    point(weights, { read: (x, y) => (this.#weights ? this.#readHistogram(weights, this.#weights, x, y, `around ${decimal(x * this.#weights.range, 4)}`) : "") });
    point(universal, {
      read: (x, y) => {
        const method = y > 0.5 ? "dfsq" : "dfsq-opt";
        const points = this.#seen?.channel.view.methods.find((own) => own.method === method)?.points ?? [];
        const own = points[nearest(points, x)];
        return own ? `${METHOD_NAMES[method]}\n${this.#readPoint(own)}` : "";
      },
    });
  }

  /** What the method that is looked at makes of the channel. */
  #own() {
    return this.#seen?.channel.view.methods.find(({ method }) => method === this.#bench.focus.method);
  }

  /** Moves a point of the channel. @param {number} index @param {number} to */
  #move(index, to) {
    const points = (this.#own()?.points ?? []).map(({ value }) => value);
    if (!points.length) return;
    // No farther than its neighbours, so that it stays the same one.
    points[index] = Math.max(points[index - 1] ?? -1, Math.min(to, points[index + 1] ?? 1));
    this.#bench.focus.movePoints(points);
  }

  /** Whose points lie at this height of a histogram. @param {Figure} figure @param {number} y */
  #rugAt(figure, y) {
    return y < 0 ? QUANTIZED_METHODS[Math.floor(-y / this.#top(figure) / RUG)] : undefined;
  }

  /** The height of the highest bar. @param {Figure} figure */
  #top(figure) {
    const low = Number(figure.svg?.dataset.plot?.split(" ").at(-2));
    return low / (-3 * RUG);
  }

  /** @param {Figure} figure @param {Histogram} histogram @param {number} x @param {number} y @param {string} place in words */
  #readHistogram(figure, { counts, methods }, x, y, place) {
    if (Math.abs(x) > 1) return "";
    const method = this.#rugAt(figure, y);
    const pointed = methods.find((own) => own.method === (method ?? this.#bench.focus.method));
    if (method) {
      const own = pointed?.points[nearest(pointed.points, x)];
      return own ? `${METHOD_NAMES[method]}\n${this.#readPoint(own)}` : "";
    }
    const bin = Math.min(Math.floor(((x + 1) / 2) * counts.length), counts.length - 1);
    const total = counts.reduce((sum, count) => sum + count, 0);
    const lines = [place, `${counts[bin]} values, ${percent(counts[bin] / total)}`];
    if (pointed) lines.push(`${percent(pointed.errors[bin])} of ${METHOD_NAMES[pointed.method]}’s squared error`);
    return lines.join("\n");
  }

  /** @param {PointView} point */
  #readPoint({ value, words, share, error }) {
    const what = words.length ? `${value} = ${sumText(value, words)}` : String(Number(value.toPrecision(5)));
    return `${what}\nstands for ${percent(share)} of the values, makes ${percent(error)} of the error`;
  }

  /** @param {number | undefined} channel */
  #readChannel(channel) {
    const summary = channel === undefined ? undefined : this.#summaries.channels[channel];
    if (!summary) return "";
    const [low, lower, median, upper, high] = summary.five.map((value) => Number(value.toPrecision(3)));
    const { method } = this.#bench.focus;
    const db = this.#bench.focus.noise(method).channels?.[channel ?? 0];
    return `channel ${channel}: ${low} to ${high}\nquartiles ${lower}, ${median}, ${upper}${db === undefined ? "" : `\n${decimal(db, 1)} dB with ${METHOD_NAMES[method]}`}`;
  }

  /** The layer's channels in the order in which they are shown. @returns {number[]} */
  #ordered() {
    const { focus } = this.#bench;
    const all = Array.from({ length: focus.channels }, (_, channel) => channel);
    const { channels } = this.#summaries;
    const noise = focus.noise(focus.method).channels;
    if (this.#order.value === "range" && channels.length) return all.sort((a, b) => channels[a].five[4] - channels[a].five[0] - (channels[b].five[4] - channels[b].five[0]));
    if (this.#order.value === "error" && noise?.length) return all.sort((a, b) => noise[a] - noise[b]);
    return all;
  }

  #list() {
    const { focus, library } = this.#bench;
    const { info } = library;
    if (!info) return;
    const listed = `${info.sha256} ${focus.layer}`;
    if (this.#listed !== listed) {
      this.#layer.replaceChildren(...focus.layers.map((index) => new Option(info.layers[index].name, String(index))));
      this.#kernel.replaceChildren(...Array.from({ length: info.layers[focus.layer].outputs }, (_, i) => new Option(String(i), String(i))));
      this.#channel.replaceChildren(...Array.from({ length: focus.channels }, (_, i) => new Option(String(i), String(i))));
      this.#listed = listed;
    }
    this.#layer.value = String(focus.layer);
    this.#channel.value = String(focus.channel);
  }

  /** The channel that is looked at, with its name. */
  get seen() {
    const { focus, library } = this.#bench;
    return this.#seen && { channel: this.#seen.channel, name: `${library.info?.layers[focus.layer].name}, channel ${focus.channel}` };
  }

  /** The figures' SVG texts. */
  get figures() {
    return Object.values(this.#figures).flatMap(({ svg }) => (svg ? [svg.outerHTML] : []));
  }

  /** The distributions of the chosen layer, where they are known. @returns {Promise<ChannelSummary[]>} */
  async distributions() {
    const { engines, focus, samples, scheduler } = this.#bench;
    const sample = samples.current;
    if (!sample || !scheduler.isAnalyzed(sample) || engines.fp32.busy) return [];
    return engines.fp32.call("distributions", [scheduler.analysisKey(sample), focus.layer]);
  }

  /** Draws what has changed. Does nothing while the worker is at something else: when it is done, there is another change. */
  draw() {
    this.#list();
    const { focus, samples, scheduler, tasks } = this.#bench;
    const known = scheduler.isAnalyzed(samples.current);
    element("why").classList.toggle("stale", !known);
    element("reset-points").hidden = !focus.points;
    if (!known || tasks.get("fp32")) return;
    this.#look().catch(this.#failed);
    for (const kind of /** @type {FigureRequest["kind"][]} */ (Object.keys(this.#figures))) this.#draw(kind);
  }

  /** All that the worker has of the layer that is looked at. */
  #of() {
    const { focus, library, making, samples, scheduler, settings } = this.#bench;
    const sample = samples.current;
    return JSON.stringify([sample && scheduler.analysisKey(sample), focus.layer, library.info?.sha256, settings.options("dfsq"), making.calibration?.sha256, making.optimized?.variants.map(({ sha256 }) => sha256)]);
  }

  get #assets() {
    const { library, making } = this.#bench;
    const { calibration, optimized } = making;
    return { network: library.network, calibration, optimized };
  }

  /** Has the worker hold the layer's input, and asks for the channel. */
  async #look() {
    const { engines, focus, samples, scheduler, settings } = this.#bench;
    const sample = samples.current;
    const key = sample && scheduler.analysisKey(sample);
    if (!sample || !key) return;
    const { layer, channel, method, points } = focus;
    const kernel = Number(this.#kernel.value);
    const [of, wanted] = [this.#of(), JSON.stringify([this.#of(), channel, kernel, method, points])];
    if (this.#looking === wanted) return;
    this.#looking = wanted;
    try {
      const { low } = await this.#bench.pair(sample);
      const assets = this.#assets;
      await engines.fp32.call("holdInput", [low, key, layer], { assets });
      if (this.#summaries.of !== of) this.#summaries = { of, channels: await engines.fp32.call("distributions", [key, layer]) };
      const options = { ...settings.options("dfsq"), ...settings.options(method), method };
      this.#weights = await engines.fp32.call("kernel", [layer, kernel, options], { assets });
      const seen = await engines.fp32.call("channel", [key, { layer, channel, options, points }], { assets });
      if (this.#looking !== wanted) return;
      this.#seen = { of: wanted, channel: seen };
      this.#tell();
      this.#maps.show(seen, METHOD_NAMES[method]);
      // With what is held now, the histogram says more.
      this.#bench.changed();
    } catch (error) {
      this.#looking = "";
      // The worker has forgotten it, because something else is looked at now.
      const current = samples.current && scheduler.analysisKey(samples.current);
      if (current === key && scheduler.isAnalyzed(samples.current)) throw error;
    }
  }

  /** Says in a line what is known of the channel. */
  #tell() {
    const { focus } = this.#bench;
    if (!this.#seen) return;
    const { extremes, methods } = this.#seen.channel.view;
    const [low, high] = extremes.map((value) => Number(value.toPrecision(3)));
    const each = methods.map(({ method, db, points }) => `${METHOD_NAMES[method]} ${points.length} values, ${db === Infinity ? "exact" : `${decimal(db, 1)} dB`}`);
    say(element("channel-facts"), `${low} to ${high} · ${each.join(" · ")}${focus.points ? ` · moved points of ${METHOD_NAMES[focus.method]}` : ""}`);
  }

  /** @param {FigureRequest["kind"]} kind */
  async #draw(kind) {
    const { engines, focus, samples, scheduler, settings } = this.#bench;
    const { layer, channel, method } = focus;
    const listed = samples.list.map((sample) => ({ key: scheduler.analysisKey(sample) ?? "", name: sample.name }));
    const options = { ...settings.options("dfsq"), ...settings.options(method), method };
    const histogram = { raw: element("histogram-raw").checked, linear: element("histogram-linear").checked, points: focus.points };
    const request = { kind, layer, samples: listed, sample: samples.active, channel, kernel: Number(this.#kernel.value), options, order: kind === "channels" ? this.#ordered() : [], histogram };
    const close = kind === "histogram" && this.#seen?.of;
    const analyzed = samples.list.map((sample) => scheduler.isAnalyzed(sample));
    const drawn = await this.#figures[kind].draw(JSON.stringify([request, analyzed, this.#of(), close]), (style) => engines.fp32.call("figure", [{ ...request, style }], { assets: this.#assets }));
    // Figures can be saved now.
    if (drawn) this.#bench.changed();
  }
}

/** Index of the nearest of points, ascending. @param {PointView[]} points @param {number} x */
function nearest(points, x) {
  let best = 0;
  for (const [index, { value }] of points.entries()) if (Math.abs(value - x) < Math.abs(points[best].value - x)) best = index;
  return best;
}
