// Which part of the active sample is computed: a list of sizes with their likely time, and a frame to drag.
import "./crop-picker.js";
import { imageData } from "./comparison.js";
import { duration, fits, region, seconds, sizes, wholeOf } from "../model/plan.js";

/** @typedef {import("../model/bench.js").Bench} Bench */
/** @typedef {import("../model/plan.js").Region} Region */

export class RegionPanel {
  #bench;
  #picker;
  #list;
  #note;
  #fields;
  /** What the list shows now. */
  #shown = "";
  /** The picture that the picker shows. @type {object | undefined} */
  #picture;

  /** @param {HTMLElement} panel @param {Bench} bench */
  constructor(panel, bench) {
    this.#bench = bench;
    this.#picker = /** @type {import("./crop-picker.js").CropPicker} */ (panel.querySelector("crop-picker"));
    this.#list = /** @type {HTMLSelectElement} */ (panel.querySelector("select"));
    this.#note = /** @type {HTMLElement} */ (panel.querySelector(".note"));
    this.#list.addEventListener("change", () => {
      const sample = bench.samples.current;
      if (!sample) return;
      const { x, y, width, height } = sample.region;
      const side = Number(this.#list.value);
      const size = this.#list.value === "whole" ? sample.picture : (sizes(sample.picture, bench.cost()).find((one) => one.width === side) ?? sample.picture);
      bench.chooseRegion(region(sample.picture, size, { x: x + width / 2, y: y + height / 2 }));
    });
    this.#fields = /** @type {const} */ (["x", "y", "width", "height"]).map((side) => /** @type {HTMLInputElement} */ (panel.querySelector(`[data-testid="region-${side}"]`)));
    for (const field of this.#fields) field.addEventListener("change", () => this.#take());
    this.#picker.addEventListener("region", (event) => bench.chooseRegion(/** @type {CustomEvent} */ (event).detail));
  }

  /** Takes what the fields say, as far as it lies in the image. */
  #take() {
    const sample = this.#bench.samples.current;
    if (!sample) return;
    const [x, y, width, height] = this.#fields.map(({ value }) => Math.trunc(Number(value)));
    const within = (/** @type {number} */ value, /** @type {number} */ low, /** @type {number} */ high) => Math.min(Math.max(Number.isFinite(value) ? value : low, low), high);
    const size = { width: within(width, 1, sample.picture.width), height: within(height, 1, sample.picture.height) };
    const chosen = { x: within(x, 0, sample.picture.width - size.width), y: within(y, 0, sample.picture.height - size.height), ...size };
    if (fits(chosen, this.#bench.cost())) this.#bench.chooseRegion(chosen);
    // What was not taken as it was typed is shown as it is.
    this.#drawFields(true);
  }

  /** @param {boolean} [all] also the field that is being typed into */
  #drawFields(all = false) {
    const { samples } = this.#bench;
    const region = samples.current?.region;
    if (!region) return;
    const values = [region.x, region.y, region.width, region.height].map(String);
    for (const [index, field] of this.#fields.entries()) {
      if (field.value !== values[index] && (all || document.activeElement !== field)) field.value = values[index];
      field.disabled = Boolean(this.#bench.cost().size) && index > 1;
    }
  }

  /** @param {import("../pkg/dfsq.js").Picture} picture */
  async #show(picture) {
    this.#picture = picture;
    // Without memory for it there is only the frame.
    const bitmap = await createImageBitmap(imageData(picture)).catch(() => undefined);
    if (bitmap && this.#picture === picture) await this.#picker.setImage(bitmap);
  }

  draw() {
    const { library, samples } = this.#bench;
    const sample = samples.current;
    if (!sample || !library.info) return;
    const cost = this.#bench.cost();
    const { picture } = sample;
    if (picture !== this.#picture) this.#show(picture);
    const isWhole = sample.region.width === picture.width && sample.region.height === picture.height;
    const offered = sizes(picture, cost);
    const entry = (/** @type {string} */ value, /** @type {string} */ name, /** @type {Region} */ r) => {
      const text = `${name}, ${fits(r, cost) ? duration(seconds(r, cost)) : "too large for a tab's memory"}`;
      const selected = r.width === sample.region.width && r.height === sample.region.height;
      return Object.assign(new Option(text, value, selected, selected), { disabled: !fits(r, cost) });
    };
    const entries = offered.map((size) => {
      const r = region(picture, size);
      return entry(String(size.width), `${r.width} × ${r.height}`, r);
    });
    if (!cost.size) entries.push(entry("whole", "whole image", wholeOf(picture)));
    const list = entries.map(({ text, selected }) => text + selected).join();
    // Rebuilding an open list would close it.
    if (list !== this.#shown) this.#list.replaceChildren(...entries);
    this.#shown = list;
    this.#note.textContent = isWhole
      ? `The whole image, ${picture.width} × ${picture.height}.`
      : `A part of the image (${picture.width} × ${picture.height})${cost.size ? "" : ", so that the networks finish soon"}. Drag it.`;
    this.#picker.setRegion(sample.region);
    this.#drawFields();
  }
}
