// The pictures of the current sample in <compare-view>, with their captions, and what arranges them.
import { difference, GAINS } from "../model/difference.js";
import { METHOD_NAMES, NETWORK_METHODS } from "../model/plan.js";
import { element } from "./dom.js";
import { bitsText, decimal } from "./score-table.js";

/** @typedef {import("../model/bench.js").Bench} Bench */
/** @typedef {import("./compare-view.js").CompareView} CompareView */
/** @typedef {import("../pkg/dfsq.js").Picture} Picture */
/** @typedef {{first?: Picture, second?: Picture, map?: Picture}} Local */

const PANES = ["fp32", "dfsq-opt", "dfsq", "min-max"];
const VIEWS = ["panes", "slider", "pair", "difference"];

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
  /** Sample and region that the view shows. */
  #place = "";

  /** @param {Bench} bench @param {CompareView} view @param {URLSearchParams} link */
  constructor(bench, view, link) {
    this.#bench = bench;
    this.#view = view;
    for (const side of ["left", "right"]) {
      element(side).append(...Object.entries(METHOD_NAMES).map(([method, name]) => new Option(name, method)));
      element(side).addEventListener("change", () => this.#arrange());
    }
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
    element("left").value = wanted("left", Object.keys(METHOD_NAMES), "min-max");
    element("right").value = wanted("right", Object.keys(METHOD_NAMES), "dfsq");
    /** @type {HTMLInputElement} */ (document.querySelector(`[name=view][value="${wanted("view", VIEWS, "panes")}"]`)).checked = true;
    this.#arrange();
  }

  /** How the pictures are arranged, as a link has it. */
  get arrangement() {
    return {
      view: document.querySelector("[name=view]:checked")?.getAttribute("value") ?? "panes",
      left: String(element("left").value),
      right: String(element("right").value),
    };
  }

  #arrange() {
    const { view, left, right } = this.arrangement;
    this.#bench.shown = view === "panes" ? PANES : [left, right];
    // It is part of what is kept.
    this.#bench.changed();
    element("sides").hidden = view === "panes";
    element("gain-field").hidden = view !== "difference";
    this.#view.arrange(view, view === "panes" ? PANES : view === "difference" ? [view] : left === right ? [left] : [left, right]);
    this.#drawDifference();
  }

  draw() {
    const { samples, scheduler, settings } = this.#bench;
    const sample = samples.current;
    element("invitation").hidden = Boolean(sample);
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
    for (const method of Object.keys(METHOD_NAMES)) {
      const own = scheduler.result(method)?.picture;
      // Until a network has run, what can be had without it.
      const picture = own ?? (NETWORK_METHODS.includes(method) ? scheduler.result("bicubic")?.picture : undefined);
      if (this.#drawn.get(method) !== picture || !this.#drawn.has(method)) this.#view.draw(method, picture && imageData(picture));
      this.#drawn.set(method, picture);
      this.#view.waits(method, !own);
      this.#view.caption(method, this.#note(method), Boolean(scheduler.failure(method)));
    }
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
    const names = `${METHOD_NAMES[right]} minus ${METHOD_NAMES[left]}`;
    const words = kind === "local" ? `${METHOD_NAMES[right]} against ${METHOD_NAMES[left]}, PSNR around each pixel: 60 dB black, 20 dB white` : `${names}, × ${kind}`;
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
    for (const name of NETWORK_METHODS) this.#view.progress(name, this.#bench.tasks.get(name)?.done ?? 0);
  }

  /** @param {string} method */
  #note(method) {
    const { scheduler, settings, tasks } = this.#bench;
    const failure = scheduler.failure(method);
    if (failure) return failure.message;
    const result = scheduler.result(method);
    const quantized = NETWORK_METHODS.includes(method) && method !== "fp32";
    const bits = [quantized && `${bitsText(settings.values, method)} bits`, settings.chosen.variantInWords(method)].filter(Boolean).join(", ");
    if (!result) return [bits, tasks.get(method) ? "running; bicubic until then" : ""].filter(Boolean).join(" · ");
    const [score, distance] = [scheduler.score(method), quantized ? scheduler.distance(method)?.score?.psnrY : undefined];
    const { costs, seconds } = result;
    const line = (/** @type {(string | false | undefined)[]} */ parts) => parts.filter(Boolean).join(" · ");
    return [
      line([bits, costs && megabytes(costs.totalBytes), seconds !== undefined && `${seconds.toFixed(1)} s`]),
      line([score && `${decimal(score.psnrY, 2)} dB`, score && `SSIM ${decimal(score.ssimY, 4)}`, distance !== undefined && distance !== score?.psnrY && `${decimal(distance, 1)} dB to FP32`]),
    ].filter(Boolean).join("\n");
  }
}
