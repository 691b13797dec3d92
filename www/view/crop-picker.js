// <crop-picker>: a small picture of the whole image with the region on it, to be dragged or moved with the arrow keys.
// Fires "region" with the region in pixels of the image when it was moved.
import { region } from "../model/plan.js";

/** Longest side of the small picture, in CSS pixels; drawn at twice that. */
const SIDE = 132;

export class CropPicker extends HTMLElement {
  #canvas = document.createElement("canvas");
  #box = document.createElement("div");
  #image = { width: 1, height: 1 };
  #dragging = false;
  #region = { x: 0, y: 0, width: 1, height: 1 };

  connectedCallback() {
    this.#box.tabIndex = 0;
    this.#box.role = "application";
    this.#box.ariaLabel = "Region of the image; move it with the arrow keys";
    this.append(this.#canvas, this.#box);
    this.#canvas.width = this.#canvas.height = SIDE;
    this.addEventListener("pointerdown", (event) => {
      this.#dragging = true;
      this.setPointerCapture(event.pointerId);
      this.#follow(event);
    });
    this.addEventListener("pointermove", (event) => this.#dragging && this.#follow(event));
    for (const end of ["pointerup", "pointercancel"]) {
      this.addEventListener(end, () => {
        if (this.#dragging) this.#announce();
        this.#dragging = false;
      });
    }
    this.#box.addEventListener("keydown", (event) => this.#key(event));
  }

  /** Shows another image. @param {ImageBitmap} bitmap */
  async setImage(bitmap) {
    this.#image = { width: bitmap.width, height: bitmap.height };
    const scale = (2 * SIDE) / Math.max(bitmap.width, bitmap.height);
    this.style.width = `${(bitmap.width * scale) / 2}px`;
    this.#canvas.width = Math.max(1, Math.round(bitmap.width * scale));
    this.#canvas.height = Math.max(1, Math.round(bitmap.height * scale));
    this.#canvas.getContext("2d")?.drawImage(bitmap, 0, 0, this.#canvas.width, this.#canvas.height);
  }

  /** Shows a region, unless the user is just moving it. @param {import("../model/plan.js").Region} region */
  setRegion(region) {
    if (!this.#dragging) this.#place(region);
  }

  /** @param {import("../model/plan.js").Region} region */
  #place(region) {
    this.#region = region;
    const percent = (/** @type {number} */ part, /** @type {number} */ whole) => `${(100 * part) / whole}%`;
    this.#box.style.left = percent(region.x, this.#image.width);
    this.#box.style.top = percent(region.y, this.#image.height);
    this.#box.style.width = percent(region.width, this.#image.width);
    this.#box.style.height = percent(region.height, this.#image.height);
  }

  /** @param {PointerEvent} event */
  #follow(event) {
    const frame = this.getBoundingClientRect();
    const x = ((event.clientX - frame.left) / frame.width) * this.#image.width;
    const y = ((event.clientY - frame.top) / frame.height) * this.#image.height;
    this.#centre(x, y);
  }

  /** @param {number} x @param {number} y */
  #centre(x, y) {
    const { width, height } = this.#region;
    this.#place(region(this.#image, { width, height }, { x, y }));
  }

  /** @param {KeyboardEvent} event */
  #key(event) {
    /** @type {Record<string, [number, number]>} */
    const arrows = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
    const arrow = arrows[event.key];
    if (!arrow) return;
    event.preventDefault();
    const { x, y, width, height } = this.#region;
    const step = event.shiftKey ? 64 : 16;
    this.#centre(x + width / 2 + arrow[0] * step, y + height / 2 + arrow[1] * step);
    this.#announce();
  }

  #announce() {
    this.dispatchEvent(new CustomEvent("region", { detail: this.#region }));
  }
}

customElements.define("crop-picker", CropPicker);
