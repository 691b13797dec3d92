// The pictures of the current sample in <compare-view>, with their captions, and what arranges them.
import { difference, GAINS } from "../model/difference.js";
import { NETWORK_METHODS, QUANTIZED_METHODS } from "../model/plan.js";
import { element } from "./dom.js";
import { PaneHeads } from "./pane-heads.js";
import { bitsText, decimal } from "./score-table.js";

/** @typedef {import("../model/bench.js").Bench} Bench */
/** @typedef {import("./compare-view.js").CompareView} CompareView */
/** @typedef {import("../pkg/dfsq.js").Picture} Picture */
/** @typedef {{first?: Picture, second?: Picture, map?: Picture}} Local */

/** What the panes show at first. */
const PANES = ["fp32", "dfsq-opt", "dfsq", "min-max"];
const VIEWS = ["panes", "slider", "pair", "difference"];

/** What arranges pictures that are there. @returns {NodeListOf<HTMLFieldSetElement | HTMLSelectElement | HTMLButtonElement>} */
const arranging = () => document.querySelectorAll(".arrangement :is(fieldset, select, button)");

const megabytes = (/** @type {number} */ bytes) => `${(bytes / 1e6).toFixed(1)} MB`;

/** @type {WeakMap<object, ImageData>} */
const images = new WeakMap();

/** A picture's own bytes, to be painted. @param {Picture} picture */
export function imageData(picture) {
  let image = images.get(picture);
  if (!image) {
    const { buffer, byteOffset, byteLength } = picture.rgba;
    const pixels = new Uint8ClampedArray(/** @type {ArrayBuffer} */ (buffer), byteOffset, byteLength);
    image = new ImageData(pixels, picture.width, picture.height);
    images.set(picture, image);
  }
  return image;
}

/** Shows a picture on a canvas of its size. @param {Picture} picture @param {HTMLCanvasElement} [canvas] */
export function paint(picture, canvas = document.createElement("canvas")) {
  Object.assign(canvas, { width: picture.width, height: picture.height });
  canvas.getContext("2d")?.putImageData(imageData(picture), 0, 0);
  return canvas;
}

export class Comparison {
  #bench;
  #view;
  /** What each canvas shows now. @type {Map<string, object | undefined>} */
  #drawn = new Map();
  /** Of which pictures, and how often enlarged, the difference is shown. @type {unknown[]} */
  #differing = [];
  /** The last map of local errors, of the second picture against the first, or none while it is made. @type {Local} */
  #local = {};
  /** Contenders, in the order of the panes. */
  #panes = PANES;
  #heads;
  /** Those that are kept and what they are called, when it was arranged last. */
  #kept = "";
  /** Sample and region that the view shows. */
  #place = "";

  /** @param {Bench} bench @param {CompareView} view @param {URLSearchParams} link @param {import("./network-picker.js").NetworkPicker} networks */
  constructor(bench, view, link, networks) {
    this.#bench = bench;
    this.#view = view;
    this.#heads = new PaneHeads(bench, view, (from, to) => this.#put(from, to), networks);
    for (const side of ["left", "right"]) element(side).addEventListener("change", () => this.#arrange());
    element("view").addEventListener("change", () => this.#arrange());
    element("gain").append(...GAINS.map((gain) => new Option(`difference × ${gain}`, String(gain), gain === 8, gain === 8)), new Option("local error", "local"));
    element("gain").addEventListener("change", () => this.#drawDifference());
    element("zoom-in").onclick = () => view.zoom(1.4);
    element("zoom-out").onclick = () => view.zoom(1 / 1.4);
    element("zoom-fit").onclick = () => view.fit();
    view.addEventListener("camera", (event) => {
      const { scale, fitted } = /** @type {CustomEvent} */ (event).detail;
      element("zoom-level").value = fitted ? "fit" : `${Math.round(scale * devicePixelRatio * 100)}%`;
    });
    this.follow(link);
  }

  /** Arranges the pictures as a link has it, or as by default. @param {URLSearchParams} link */
  follow(link) {
    const wanted = (/** @type {string} */ name, /** @type {string[]} */ allowed, /** @type {string} */ otherwise) => {
      const value = link.get(name) ?? "";
      return allowed.includes(value) ? value : otherwise;
    };
    const { ids } = this.#bench.contenders;
    this.#listSides();
    element("left").value = wanted("left", ids, "min-max");
    element("right").value = wanted("right", ids, "dfsq");
    this.#panes = link.get("panes")?.split(",") ?? PANES;
    /** @type {HTMLInputElement} */ (document.querySelector(`[name=view][value="${wanted("view", VIEWS, "panes")}"]`)).checked = true;
    this.#arrange();
  }

  /** How the pictures are arranged, as a link has it. */
  get arrangement() {
    return {
      view: document.querySelector("[name=view]:checked")?.getAttribute("value") ?? "panes",
      left: String(element("left").value),
      right: String(element("right").value),
      ...(this.panes === PANES.join() ? {} : { panes: this.panes }),
    };
  }

  /** What the panes show, as a link has it. */
  get panes() {
    return this.#panes.join();
  }

  /** The contender whose picture is meant where one of them is: the right one of two, of the panes that of DFSQ, or the first that is quantized. */
  get looked() {
    const { view, right } = this.arrangement;
    if (view !== "panes") return right;
    const { contenders } = this.#bench;
    const quantized = this.#panes.filter((id) => QUANTIZED_METHODS.includes(contenders.get(id).method));
    return quantized.find((id) => contenders.get(id).method === "dfsq") ?? quantized[0] ?? this.#panes[0];
  }

  /** What the panes show: each once, and what there is no more replaced. */
  #present() {
    const { ids } = this.#bench.contenders;
    const wanted = this.#panes.slice(0, PANES.length);
    const spare = PANES.filter((id) => !wanted.includes(id));
    return PANES.map((_, at) => (ids.includes(wanted[at]) && wanted.indexOf(wanted[at]) === at ? wanted[at] : /** @type {string} */ (spare.shift())));
  }

  /** Puts a contender in the pane of another; where it has one already, they change places. @param {string} from @param {string} to */
  #put(from, to) {
    this.#panes = this.#panes.map((id) => (id === from ? to : id === to ? from : id));
    this.#arrange();
    this.#heads.focus(to);
  }

  /** Both sides of a pair can be whatever there is. */
  #listSides() {
    const { contenders } = this.#bench;
    const options = contenders.ids.map((id) => [id, contenders.title(id)]);
    for (const side of ["left", "right"]) {
      const select = /** @type {HTMLSelectElement} */ (element(side));
      if (JSON.stringify([...select.options].map(({ value, text }) => [value, text])) === JSON.stringify(options)) continue;
      const { value } = select;
      select.replaceChildren(...options.map(([id, name]) => new Option(name, id)));
      // One that is kept no longer follows what is chosen again.
      const method = contenders.ids.filter((id) => value.startsWith(id)).sort((a, b) => b.length - a.length)[0];
      if (method) select.value = method;
    }
  }

  #arrange() {
    const { contenders } = this.#bench;
    this.#listSides();
    this.#view.provide(contenders.kept.map(({ id, method }) => ({ id, method, name: contenders.title(id) })));
    this.#panes = this.#present();
    const { view, left, right } = this.arrangement;
    this.#bench.shown = view === "panes" ? this.#panes : [left, right];
    // It is part of what is kept.
    this.#bench.changed();
    element("sides").hidden = view === "panes";
    element("gain-field").hidden = view !== "difference";
    this.#view.arrange(view, view === "panes" ? this.#panes : view === "difference" ? [view] : left === right ? [left] : [left, right]);
    this.#heads.draw(this.#panes);
    this.#drawDifference();
  }

  draw() {
    const { contenders, samples, scheduler, settings } = this.#bench;
    const kept = contenders.kept.map(({ id }) => `${id} ${contenders.title(id)}`).join();
    if (kept !== this.#kept) {
      this.#kept = kept;
      this.#arrange();
    }
    this.#heads.draw(this.#panes);
    const sample = samples.current;
    element("invitation").hidden = Boolean(sample);
    for (const control of arranging()) control.disabled = !sample;
    this.drawProgress();
    this.#view.toggleAttribute("empty", !sample);
    if (!sample) return;
    const { scale } = this.#bench.cost();
    const side = (/** @type {number} */ length) => (settings.values.mode === "upscale" ? length * scale : Math.floor(length / scale) * scale);
    if (this.#view.resize(side(sample.region.width), side(sample.region.height))) this.#drawn.clear();
    // Another network or bit width shows the same place, and keeps zoom and pan.
    const { x, y, width, height } = sample.region;
    const place = [sample.picture.sha256, x, y, width, height].join();
    if (this.#place && place !== this.#place) this.#view.fit();
    this.#place = place;
    for (const id of contenders.ids) {
      const own = scheduler.result(id)?.picture;
      // Until a network has run, what can be had without it.
      const picture = own ?? (NETWORK_METHODS.includes(contenders.get(id).method) ? scheduler.result("bicubic")?.picture : undefined);
      if (this.#drawn.get(id) !== picture || !this.#drawn.has(id)) this.#view.draw(id, picture && imageData(picture));
      this.#drawn.set(id, picture);
      this.#view.waits(id, !own);
      this.#view.caption(id, this.#note(id), Boolean(scheduler.failure(id)));
    }
    // A pane that is made anew is empty.
    for (const id of [...this.#drawn.keys()]) if (id !== "difference" && !contenders.ids.includes(id)) this.#drawn.delete(id);
    this.#drawDifference();
  }

  /** The right picture minus the left one. */
  #drawDifference() {
    const { view, left, right } = this.arrangement;
    if (view !== "difference") return;
    const { scheduler } = this.#bench;
    const kind = element("gain").value;
    const [first, second] = [scheduler.result(left)?.picture, scheduler.result(right)?.picture];
    const map = kind === "local" && first && second ? this.#errorMap(first, second) : undefined;
    const differing = [first, second, kind, map];
    if (differing.every((part, i) => part === this.#differing[i]) && this.#drawn.has(view)) return;
    this.#differing = differing;
    const shown = first && second && (kind === "local" ? map : difference(first, second, Number(kind)));
    this.#view.draw(view, shown && imageData(shown));
    this.#view.waits(view, !shown);
    const [one, other] = [left, right].map((id) => this.#bench.contenders.title(id));
    const names = `${other} minus ${one}`;
    const words = kind === "local" ? `${other} against ${one}, PSNR around each pixel: 60 dB black, 20 dB white` : `${names}, × ${kind}`;
    this.#view.caption(view, shown || (first && second) ? words : "comes when both have run", false);
    this.#drawn.set(view, shown);
  }

  /** Where the second is far from the first. Nothing until it is there; then it is drawn. @param {Picture} first @param {Picture} second */
  #errorMap(first, second) {
    if (this.#local.first !== first || this.#local.second !== second) {
      const local = (this.#local = /** @type {Local} */ ({ first, second }));
      const drawn = (/** @type {Picture} */ map) => {
        local.map = map;
        if (this.#local === local) this.#drawDifference();
      };
      // Where a picture was given up for, it is asked for again when there is another.
      this.#bench.engines.images.call("errorMap", [second, first]).then(drawn, () => this.#local === local && (this.#local = {}));
    }
    return this.#local.map;
  }

  drawProgress() {
    const { contenders, scheduler } = this.#bench;
    for (const id of contenders.ids) this.#view.progress(id, scheduler.doneOf(id));
  }

  /** @param {string} id */
  #note(id) {
    const { contenders, scheduler, tasks, timing } = this.#bench;
    const { method, chosen } = contenders.get(id);
    const failure = scheduler.failure(id);
    if (failure) return failure.message;
    const result = scheduler.result(id);
    const quantized = NETWORK_METHODS.includes(method) && method !== "fp32";
    const bits = [quantized && `${bitsText(chosen.values, method)} bits`, chosen.variantInWords(method)].filter(Boolean).join(", ");
    if (!result) return [bits, tasks.get(chosen.worker(method)) ? "running; bicubic until then" : ""].filter(Boolean).join(" · ");
    const [score, distance] = [scheduler.score(id), quantized ? scheduler.distance(id)?.score?.psnrY : undefined];
    const [{ costs }, seconds] = [result, timing.of(id)];
    const line = (/** @type {(string | false | undefined)[]} */ parts) => parts.filter(Boolean).join(" · ");
    return [
      line([bits, costs && megabytes(costs.totalBytes), seconds !== undefined && `${seconds.toFixed(2)} s alone`]),
      line([score && `${decimal(score.psnrY, 2)} dB`, score && `SSIM ${decimal(score.ssimY, 4)}`, distance !== undefined && distance !== score?.psnrY && `${decimal(distance, 1)} dB to FP32`]),
    ].filter(Boolean).join("\n");
  }
}
