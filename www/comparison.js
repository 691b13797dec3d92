// The pictures of the active sample in <compare-view>, with their captions.
import { METHOD_NAMES, NETWORK_METHODS } from "./plan.js";
import { bitsText, decimal } from "./score-table.js";

/** @typedef {import("./laboratory.js").Laboratory} Laboratory */
/** @typedef {import("./compare-view.js").CompareView} CompareView */

/** @type {WeakMap<object, ImageData>} */
const images = new WeakMap();

/** @param {import("./client.js").Picture} picture */
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
  #laboratory;
  #view;
  /** What each canvas shows now. @type {Map<string, object | undefined>} */
  #drawn = new Map();
  /** Sample and region that the view shows. */
  #place = "";

  /** @param {Laboratory} laboratory @param {CompareView} view */
  constructor(laboratory, view) {
    this.#laboratory = laboratory;
    this.#view = view;
  }

  draw() {
    const { sample, settings, active } = this.#laboratory;
    if (!sample) return;
    const { scale } = this.#laboratory.cost();
    const side = (/** @type {number} */ length) => (settings.mode === "upscale" ? length * scale : Math.floor(length / scale) * scale);
    if (this.#view.resize(side(sample.region.width), side(sample.region.height))) this.#drawn.clear();
    // Another network or bit width shows the same place, and keeps zoom and pan.
    const { x, y, width, height } = sample.region;
    const place = [active, x, y, width, height].join();
    if (place !== this.#place) this.#view.fit();
    this.#place = place;
    for (const method of Object.keys(METHOD_NAMES)) {
      const picture = this.#laboratory.result(method)?.picture;
      if (this.#drawn.get(method) !== picture || !this.#drawn.has(method)) this.#view.draw(method, picture && imageData(picture));
      this.#drawn.set(method, picture);
      this.#view.caption(method, this.#note(method));
    }
  }

  drawProgress() {
    for (const name of NETWORK_METHODS) this.#view.progress(name, this.#laboratory.progress.get(name) ?? 0);
  }

  /** @param {string} method */
  #note(method) {
    const result = this.#laboratory.result(method);
    if (!result) return this.#laboratory.running.has(method) ? "running…" : "";
    const text = NETWORK_METHODS.includes(method) && method !== "fp32" ? `${bitsText(this.#laboratory, method)} bits` : "";
    return [text, result.score ? `${decimal(result.score.psnrY, 2)} dB` : ""].filter(Boolean).join(" · ");
  }
}
