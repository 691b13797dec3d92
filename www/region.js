// Which part of the active sample is computed: a list of sizes with their likely time, and a frame to drag.
import "./crop-picker.js";
import { imageData } from "./comparison.js";
import { duration, fits, region, seconds, sides } from "./plan.js";

/** @typedef {import("./laboratory.js").Laboratory} Laboratory */
/** @typedef {import("./plan.js").Region} Region */

export class RegionPanel {
  #laboratory;
  #picker;
  #list;
  #note;
  /** What the list shows now. */
  #shown = "";

  /** @param {HTMLElement} panel @param {Laboratory} laboratory @param {() => void} changed */
  constructor(panel, laboratory, changed) {
    this.#laboratory = laboratory;
    this.#picker = /** @type {import("./crop-picker.js").CropPicker} */ (panel.querySelector("crop-picker"));
    this.#list = /** @type {HTMLSelectElement} */ (panel.querySelector("select"));
    this.#note = /** @type {HTMLElement} */ (panel.querySelector(".note"));
    const choose = (/** @type {Region} */ chosen) => {
      if (!laboratory.sample) return;
      Object.assign(laboratory.sample, { chosen: true, region: chosen });
      changed();
    };
    this.#list.addEventListener("change", () => {
      const { sample } = laboratory;
      if (!sample) return;
      const { x, y, width, height } = sample.region;
      const side = this.#list.value;
      choose(side === "whole" ? whole(sample.picture) : region(sample.picture, Number(side), { x: x + width / 2, y: y + height / 2 }));
    });
    this.#picker.addEventListener("region", (event) => choose(/** @type {CustomEvent} */ (event).detail));
  }

  /** Shows another sample. */
  async setSample() {
    const { sample } = this.#laboratory;
    if (!sample) return;
    const bitmap = await createImageBitmap(imageData(sample.picture));
    if (this.#laboratory.sample === sample) await this.#picker.setImage(bitmap);
  }

  draw() {
    const { sample, info } = this.#laboratory;
    if (!sample || !info) return;
    const cost = this.#laboratory.cost();
    const { picture } = sample;
    const isWhole = sample.region.width === picture.width && sample.region.height === picture.height;
    const chosen = isWhole ? "whole" : String(Math.max(sample.region.width, sample.region.height));
    const entry = (/** @type {string} */ value, /** @type {string} */ name, /** @type {Region} */ r) => {
      const option = new Option(`${name}, ${fits(r, cost) ? duration(seconds(r, cost)) : "too large for a tab's memory"}`, value);
      option.disabled = !fits(r, cost);
      option.selected = value === chosen;
      return option;
    };
    const offered = sides(picture).map((side) => {
      const r = region(picture, side);
      return entry(String(side), `${r.width} × ${r.height}`, r);
    });
    const entries = [...offered, entry("whole", "whole image", whole(picture))];
    const list = entries.map(({ text, selected }) => text + selected).join();
    // Rebuilding an open list would close it.
    if (list !== this.#shown) this.#list.replaceChildren(...entries);
    this.#shown = list;
    this.#note.textContent = isWhole
      ? `The whole image, ${picture.width} × ${picture.height}.`
      : `A part of the image (${picture.width} × ${picture.height}), so that the networks finish soon. Drag it.`;
    this.#picker.setRegion(sample.region);
  }
}

/** @param {{width: number, height: number}} picture @returns {Region} */
const whole = ({ width, height }) => ({ x: 0, y: 0, width, height });
