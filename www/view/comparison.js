// The pictures of the current sample in <compare-view>, with their captions, and what arranges them.
import { METHOD_NAMES, NETWORK_METHODS } from "../model/plan.js";
import { element } from "./dom.js";
import { bitsText, decimal } from "./score-table.js";

/** @typedef {import("../model/bench.js").Bench} Bench */
/** @typedef {import("./compare-view.js").CompareView} CompareView */

const PANES = ["fp32", "dfsq-opt", "dfsq", "min-max"];
const VIEWS = ["panes", "slider", "pair"];

/** @type {WeakMap<object, ImageData>} */
const images = new WeakMap();

/** A picture's own bytes, to be painted. @param {import("../pkg/dfsq.js").Picture} picture */
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

export class Comparison {
  #bench;
  #view;
  /** What each canvas shows now. @type {Map<string, object | undefined>} */
  #drawn = new Map();
  /** Sample and region that the view shows. */
  #place = "";

  /** @param {Bench} bench @param {CompareView} view @param {URLSearchParams} link */
  constructor(bench, view, link) {
    this.#bench = bench;
    this.#view = view;
    const wanted = (/** @type {string} */ name, /** @type {string[]} */ allowed, /** @type {string} */ otherwise) => {
      const value = link.get(name) ?? "";
      return allowed.includes(value) ? value : otherwise;
    };
    for (const side of ["left", "right"]) {
      element(side).append(...Object.entries(METHOD_NAMES).map(([method, name]) => new Option(name, method)));
      element(side).value = wanted(side, Object.keys(METHOD_NAMES), side === "left" ? "min-max" : "dfsq");
      element(side).addEventListener("change", () => this.#arrange());
    }
    /** @type {HTMLInputElement} */ (document.querySelector(`[name=view][value="${wanted("view", VIEWS, "panes")}"]`)).checked = true;
    element("view").addEventListener("change", () => this.#arrange());
    element("zoom-in").onclick = () => view.zoom(1.4);
    element("zoom-out").onclick = () => view.zoom(1 / 1.4);
    element("zoom-fit").onclick = () => view.fit();
    view.addEventListener("camera", (event) => {
      const { scale, fitted } = /** @type {CustomEvent} */ (event).detail;
      element("zoom-level").value = fitted ? "fit" : `${Math.round(scale * devicePixelRatio * 100)}%`;
    });
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
    for (const side of ["left", "right"]) element(side).disabled = view === "panes";
    this.#view.arrange(view, view === "panes" ? PANES : left === right ? [left] : [left, right]);
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
    if (place !== this.#place) this.#view.fit();
    this.#place = place;
    for (const method of Object.keys(METHOD_NAMES)) {
      const picture = scheduler.result(method)?.picture;
      if (this.#drawn.get(method) !== picture || !this.#drawn.has(method)) this.#view.draw(method, picture && imageData(picture));
      this.#drawn.set(method, picture);
      this.#view.caption(method, this.#note(method), Boolean(scheduler.failure(method)));
    }
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
    if (!result) return tasks.get(method) ? "running…" : "";
    const text = NETWORK_METHODS.includes(method) && method !== "fp32" ? `${bitsText(settings.values, method)} bits` : "";
    return [text, result.score ? `${decimal(result.score.psnrY, 2)} dB` : ""].filter(Boolean).join(" · ");
  }
}
