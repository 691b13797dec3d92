// Why: the layer and channel that are looked at, in figures that the full-precision worker draws.
import { movedBeside, movedTo } from "../model/moving.js";
import { METHOD_NAMES, QUANTIZED_METHODS } from "../model/plan.js";
import { ChannelMaps } from "./channel-maps.js";
import { DataTable } from "./data-table.js";
import { element, find, say } from "./dom.js";
import { Figure } from "./figure.js";
import { point } from "./pointing.js";
import { sumText } from "./point-words.js";
import { decimal } from "./score-table.js";

/**
 * @typedef {import("../model/bench.js").Bench} Bench
 * @typedef {import("../pkg/dfsq.js").FigureRequest} FigureRequest
 * @typedef {import("../pkg/dfsq.js").ChannelSummary} ChannelSummary
 * @typedef {import("../pkg/dfsq.js").PointView} PointView
 * @typedef {{counts: number[], methods: import("../pkg/dfsq.js").MethodView[]}} Histogram
 */

/** Height over width. */
const ASPECT = 0.36;
/** How near the pointer must be to a point, on the normalized axis, to grasp it. */
const NEAR = 0.02;
/** How a histogram's axis is divided: the rugs lie below 0 in this order. */
const RUG = 0.2;

const FIVE = ["minimum", "lower quartile", "median", "upper quartile", "maximum"];

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
  #tables;
  /** The network whose layers are listed, and the layer whose channels. */
  #listed = "";
  /** The point that arrow keys have come to. */
  #at = 0;

  /** @param {Bench} bench @param {import("./compare-view.js").CompareView} view @param {import("./data-table.js").Save} save @param {(error: unknown) => void} failed */
  constructor(bench, view, save, failed) {
    this.#bench = bench;
    this.#failed = failed;
    const { focus } = bench;
    const figure = (/** @type {string} */ kind) => new Figure(find(`figure[data-kind=${kind}]`, document), ASPECT, () => this.draw(), failed);
    this.#figures = { histogram: figure("histogram"), channels: figure("channels"), samples: figure("samples"), weights: figure("weights"), "universal-set": figure("universal-set") };
    this.#maps = new ChannelMaps(view);
    this.#layer.addEventListener("change", () => focus.set({ layer: Number(this.#layer.value) }));
    this.#channel.addEventListener("change", () => focus.set({ channel: Number(this.#channel.value) }));
    for (const id of ["channel-order", "histogram-raw", "histogram-linear"]) element(id).addEventListener("change", () => this.draw());
    this.#kernel.addEventListener("change", () => {
      bench.closeUp.kernel = Number(this.#kernel.value);
      bench.changed();
    });
    element("reset-points").onclick = () => focus.movePoints(undefined);
    this.#point();
    const { channels, histogram, samples, weights, "universal-set": universal } = this.#figures;
    const of = (/** @type {Figure} */ at, /** @type {() => import("./data-table.js").Data | Promise<import("./data-table.js").Data>} */ data) => new DataTable(at, data, save, failed);
    this.#tables = [
      of(channels, () => this.#channelData()),
      of(samples, () => this.#sampleData()),
      of(histogram, () => this.#histogramData(bench.closeUp.seen?.picture.view)),
      of(weights, () => this.#histogramData(bench.closeUp.seen?.kernel)),
      of(universal, () => this.#pointData()),
    ];
  }

  #channelData() {
    const { closeUp, focus } = this.#bench;
    const noise = focus.noise(focus.method).channels;
    const rows = this.#ordered().flatMap((channel) => (closeUp.summaries[channel] ? [[channel, ...closeUp.summaries[channel].five, noise?.[channel] ?? NaN]] : []));
    return { head: ["channel", ...FIVE, `${METHOD_NAMES[focus.method]}, dB`], rows };
  }

  async #sampleData() {
    const { engines, focus, samples, scheduler } = this.#bench;
    const known = samples.list.flatMap((sample) => {
      const key = scheduler.analysisKey(sample);
      return key && scheduler.isAnalyzed(sample) ? [{ name: sample.name, key }] : [];
    });
    const all = await Promise.all(known.map(({ key }) => engines.fp32.call("distributions", [key, focus.layer]))).catch(() => []);
    return { head: ["sample", ...FIVE], rows: all.flatMap((channels, i) => (channels[focus.channel] ? [[known[i].name, ...channels[focus.channel].five]] : [])) };
  }

  /** @param {Histogram | undefined} histogram */
  #histogramData(histogram) {
    const { counts = [], methods = [] } = histogram ?? {};
    const head = ["from", "to", "values", ...methods.map(({ method }) => `${METHOD_NAMES[method]}, share of error`)];
    const edge = (/** @type {number} */ bin) => (2 * bin) / counts.length - 1;
    return { head, rows: counts.map((count, bin) => [edge(bin), edge(bin + 1), count, ...methods.map(({ errors }) => errors[bin])]) };
  }

  #pointData() {
    const methods = this.#bench.closeUp.seen?.picture.view.methods ?? [];
    const rows = methods.flatMap(({ method, points }) => points.map(({ value, words, share, error }) => [METHOD_NAMES[method], value, words.length ? sumText(value, words) : "", share, error]));
    return { head: ["method", "point", "sum", "share of values", "share of error"], rows };
  }

  #point() {
    const { focus, samples } = this.#bench;
    const { channels, histogram, samples: others, weights, "universal-set": universal } = this.#figures;
    point(channels, {
      read: (x) => this.#readChannel(this.#ordered()[Math.round(x)]),
      choose: (x) => focus.set({ channel: this.#ordered()[Math.round(x)] ?? focus.channel }),
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
    const { closeUp } = this.#bench;
    point(histogram, {
      read: (x, y) => {
        const view = closeUp.seen?.picture.view;
        return view ? this.#readHistogram(histogram, view, x, y, `${decimal(x, 2)} normalized, ${decimal(x * view.range + view.mean, 3)} as it is`) : "";
      },
      step: (dx, _, shift) => {
        const points = this.#own()?.points ?? [];
        this.#at = Math.max(0, Math.min(shift ? this.#at : this.#at + dx, points.length - 1));
        const at = points[this.#at];
        if (!at) return undefined;
        if (shift) this.#move((values, universal) => movedBeside(values, this.#at, universal, dx));
        const row = QUANTIZED_METHODS.indexOf(focus.method);
        return { at: [at.place, -RUG * (row + 0.5) * this.#top(histogram)], text: this.#readPoint(at) };
      },
      grasp: (x, y) => {
        const points = this.#own()?.points ?? [];
        const index = nearest(points, x);
        if (this.#rugAt(histogram, y) !== focus.method || !closeUp.seen?.picture.view.universal.length) return undefined;
        if (!(Math.abs(points[index]?.place - x) < NEAR)) return undefined;
        // Of the points as they were when it was taken hold of.
        const [values, apart] = [points.map(({ value }) => value), points[index].value - points[index].place];
        return (to) => this.#move((_, universal) => movedTo(values, index, universal, to + apart));
      },
    });
    point(weights, {
      read: (x, y) => {
        const view = closeUp.seen?.kernel;
        return view ? this.#readHistogram(weights, view, x, y, `around ${decimal(x * view.range, 4)}`) : "";
      },
    });
    point(universal, {
      read: (x, y) => {
        const method = y > 0.5 ? "dfsq" : "dfsq-opt";
        const points = closeUp.seen?.picture.view.methods.find((own) => own.method === method)?.points ?? [];
        const own = points.reduce((/** @type {PointView | undefined} */ best, one) => (best && Math.abs(best.value - x) <= Math.abs(one.value - x) ? best : one), undefined);
        return own ? `${METHOD_NAMES[method]}\n${this.#readPoint(own)}` : "";
      },
    });
  }

  /** What the method that is looked at makes of the channel. */
  #own() {
    return this.#bench.closeUp.seen?.picture.view.methods.find(({ method }) => method === this.#bench.focus.method);
  }

  /** @param {(values: number[], universal: number[]) => number[]} move */
  #move(move) {
    const { closeUp, focus } = this.#bench;
    const [points, universal] = [this.#own()?.points ?? [], closeUp.seen?.picture.view.universal ?? []];
    if (points.length && universal.length) focus.movePoints(move(points.map(({ value }) => value), universal));
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
    const what = words.length ? `${Number(value.toPrecision(6))} = ${sumText(value, words)}` : String(Number(value.toPrecision(5)));
    return `${what}\nstands for ${percent(share)} of the values, makes ${percent(error)} of the error`;
  }

  /** @param {number | undefined} channel */
  #readChannel(channel) {
    const summary = channel === undefined ? undefined : this.#bench.closeUp.summaries[channel];
    if (!summary) return "";
    const [low, lower, median, upper, high] = summary.five.map((value) => Number(value.toPrecision(3)));
    const { method } = this.#bench.focus;
    const db = this.#bench.focus.noise(method).channels?.[channel ?? 0];
    return `channel ${channel}: ${low} to ${high}\nquartiles ${lower}, ${median}, ${upper}${db === undefined ? "" : `\n${decimal(db, 1)} dB with ${METHOD_NAMES[method]}`}`;
  }

  /** The layer's channels in the order in which they are shown. @returns {number[]} */
  #ordered() {
    const { closeUp, focus } = this.#bench;
    const all = Array.from({ length: focus.channels }, (_, channel) => channel);
    const channels = closeUp.summaries;
    const noise = focus.noise(focus.method).channels;
    if (this.#order.value === "range" && channels.length) return all.sort((a, b) => channels[a].five[4] - channels[a].five[0] - (channels[b].five[4] - channels[b].five[0]));
    // What is made of zeros is no signal to lose.
    const lost = (/** @type {number} */ channel) => (noise?.[channel] === -Infinity ? Infinity : (noise?.[channel] ?? 0));
    if (this.#order.value === "error" && noise?.length) return all.sort((a, b) => (lost(a) < lost(b) ? -1 : 1));
    return all;
  }

  #list() {
    const { closeUp, focus, library } = this.#bench;
    const { info } = library;
    if (!info) return;
    const listed = `${info.sha256} ${focus.layer}`;
    if (this.#listed !== listed) {
      this.#layer.replaceChildren(...focus.layers.map((index) => new Option(info.layers[index].name, String(index))));
      const { outputs } = info.layers[focus.layer];
      this.#kernel.replaceChildren(...Array.from({ length: outputs }, (_, i) => new Option(String(i), String(i))));
      closeUp.kernel = Math.min(closeUp.kernel, outputs - 1);
      this.#kernel.value = String(closeUp.kernel);
      this.#channel.replaceChildren(...Array.from({ length: focus.channels }, (_, i) => new Option(String(i), String(i))));
      this.#listed = listed;
    }
    this.#layer.value = String(focus.layer);
    this.#channel.value = String(focus.channel);
  }

  /** The channel that is looked at, with its name. */
  get seen() {
    const { closeUp, library } = this.#bench;
    const { seen } = closeUp;
    return seen && { channel: seen.picture, name: `${library.info?.layers[seen.layer].name}, channel ${seen.channel}` };
  }

  /** The figures' SVG texts. */
  get figures() {
    return Object.values(this.#figures).flatMap(({ svg }) => (svg ? [svg.outerHTML] : []));
  }

  /** The distributions of the chosen layer, where they are known. @returns {Promise<ChannelSummary[]>} */
  async distributions() {
    const { engines, focus, samples, scheduler } = this.#bench;
    const sample = samples.current;
    const key = sample && scheduler.analysisKey(sample);
    if (!key || !scheduler.isAnalyzed(sample) || engines.fp32.busy) return [];
    return engines.fp32.call("distributions", [key, focus.layer]);
  }

  /** Draws what has changed. Does nothing while the worker is at something else: when it is done, there is another change. */
  draw() {
    this.#list();
    const { closeUp, focus, samples, scheduler, tasks } = this.#bench;
    const known = scheduler.isAnalyzed(samples.current);
    element("why").classList.toggle("stale", !known || !closeUp.seen);
    element("reset-points").hidden = !focus.points;
    if (!known || tasks.get("fp32") || !focus.layers.length) return;
    closeUp.update().catch(this.#failed);
    this.#tell();
    // The worker looks first; then there is another change.
    if (closeUp.isBusy) return;
    for (const kind of /** @type {FigureRequest["kind"][]} */ (Object.keys(this.#figures))) this.#draw(kind);
    for (const table of this.#tables) table.draw();
  }

  /** Says in a line what is known of the channel, and shows it. */
  #tell() {
    const { closeUp, focus } = this.#bench;
    const { seen } = closeUp;
    if (!seen) return;
    const { extremes, methods } = seen.picture.view;
    const [low, high] = extremes.map((value) => Number(value.toPrecision(3)));
    const each = methods.map(({ method, db, points }) => `${METHOD_NAMES[method]} ${points.length} values, ${db === Infinity ? "exact" : `${decimal(db, 1)} dB`}`);
    say(element("channel-facts"), `${low} to ${high} · ${each.join(" · ")}${focus.points ? ` · moved points of ${METHOD_NAMES[focus.method]}` : ""}`);
    this.#maps.show(seen.picture, focus.method);
  }

  /** @param {FigureRequest["kind"]} kind */
  async #draw(kind) {
    const { closeUp, engines, focus, inquiries, samples, scheduler } = this.#bench;
    const { layer, method } = focus;
    // It is drawn from what is seen: the one before stays until then.
    if (kind === "histogram" && !closeUp.seen) return;
    const channel = kind === "weights" ? 0 : focus.channel;
    const listed = samples.list.map((sample) => ({ key: scheduler.analysisKey(sample) ?? "", name: sample.name }));
    /** @type {Partial<FigureRequest>} what is of this figure alone */
    const own = {};
    if (kind === "channels") own.order = this.#ordered();
    if (kind === "universal-set") own.centres = inquiries.studied?.centres ?? [];
    if (kind === "weights") own.kernel = closeUp.kernel;
    if (kind === "histogram" || kind === "weights") {
      own.lookedAt = /** @type {FigureRequest["lookedAt"]} */ (method);
      own.histogram = { raw: element("histogram-raw").checked, linear: element("histogram-linear").checked, points: kind === "histogram" ? focus.points : undefined };
    }
    const methods = kind === "channels" || kind === "samples" ? [] : closeUp.methods;
    const request = { kind, layer, samples: listed, sample: samples.active, channel, methods, ...own };
    const analyzed = samples.list.map((sample) => scheduler.isAnalyzed(sample));
    const drawn = await this.#figures[kind].draw(JSON.stringify([request, analyzed, closeUp.ofLayer]), (style) => engines.fp32.call("figure", [{ ...request, style }], { assets: closeUp.assets }));
    // Figures can be saved now.
    if (drawn) this.#bench.changed();
  }
}

/** Index of the point that is drawn nearest. @param {PointView[]} points @param {number} x */
function nearest(points, x) {
  let best = 0;
  for (const [index, { place }] of points.entries()) if (Math.abs(place - x) < Math.abs(points[best].place - x)) best = index;
  return best;
}
