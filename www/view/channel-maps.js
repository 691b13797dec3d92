// The channel as a picture: in full precision, quantized, and the difference, at the place and zoom of the pictures above.
import { differenceMap, greyMap, largestDifference } from "../model/feature-map.js";
import { METHOD_NAMES } from "../model/plan.js";
import { paint } from "./comparison.js";
import { element, say } from "./dom.js";
import { short } from "./point-words.js";

/** @typedef {import("../pkg/dfsq.js").ChannelPicture} ChannelPicture */

const NAMES = /** @type {const} */ (["full", "quantized", "difference"]);

export class ChannelMaps {
  /** @type {HTMLCanvasElement[]} */
  #canvases = NAMES.map((name) => element(`map-${name}`));
  #view;
  /** @type {ChannelPicture | undefined} */
  #channel;
  /** Column and row that are read out. @type {[number, number] | undefined} */
  #place;
  #method = "";

  /** @param {import("./compare-view.js").CompareView} view */
  constructor(view) {
    this.#view = view;
    view.addEventListener("camera", () => this.#follow());
    view.addEventListener("pick", (event) => this.#pick(/** @type {CustomEvent} */ (event).detail));
    new ResizeObserver(() => this.#follow()).observe(element("maps"));
    for (const canvas of this.#canvases) {
      canvas.addEventListener("click", (event) => {
        const box = canvas.getBoundingClientRect();
        this.#pick({ x: (event.clientX - box.left) / box.width, y: (event.clientY - box.top) / box.height });
      });
    }
  }

  /** @param {ChannelPicture} channel @param {string} method */
  show(channel, method) {
    if (this.#channel === channel) return;
    const { width, height, values, quantized, view } = channel;
    const before = this.#channel;
    this.#channel = channel;
    const known = view.methods.some((own) => own.method === method);
    this.#method = known ? METHOD_NAMES[method] : `${METHOD_NAMES[method]} (as it is)`;
    // A place of a map of another size is another one.
    if (before?.width !== width || before.height !== height) this.#place = undefined;
    const most = largestDifference(values, quantized);
    const ends = /** @type {[number, number]} */ (view.extremes);
    const maps = [greyMap(values, ends, width, height), greyMap(quantized, ends, width, height), differenceMap(values, quantized, most, width, height)];
    for (const [index, canvas] of this.#canvases.entries()) paint(maps[index], canvas);
    element("maps").hidden = false;
    say(element("map-method"), this.#method);
    say(element("map-most"), most > 0 ? `±${short(most)}` : "none");
    this.#follow();
    this.#read();
  }

  /** Shows the same part as the pictures do. */
  #follow() {
    if (!this.#channel) return;
    const { zoom, x, y } = this.#view.camera;
    for (const canvas of this.#canvases) {
      const frame = /** @type {HTMLElement} */ (canvas.parentElement);
      const scale = Math.min(frame.clientWidth / canvas.width, frame.clientHeight / canvas.height) * zoom;
      canvas.style.transform = `translate(${frame.clientWidth / 2 - x * canvas.width * scale}px, ${frame.clientHeight / 2 - y * canvas.height * scale}px) scale(${scale})`;
    }
  }

  /** @param {{x: number, y: number}} at in 0..1 */
  #pick({ x, y }) {
    if (!this.#channel) return;
    const { width, height } = this.#channel;
    const place = (/** @type {number} */ share, /** @type {number} */ length) => Math.max(0, Math.min(Math.floor(share * length), length - 1));
    this.#place = [place(x, width), place(y, height)];
    this.#read();
  }

  #read() {
    if (!this.#channel) return;
    const { width, values, quantized } = this.#channel;
    if (!this.#place) return say(element("map-reading"), "A click on a picture reads out the values there.");
    const [column, row] = this.#place;
    const index = row * width + column;
    say(element("map-reading"), `Column ${column}, row ${row}: ${short(values[index])} in full precision, ${short(quantized[index])} with ${this.#method}, ${short(quantized[index] - values[index])} more.`);
  }
}
