// A figure in the page: SVG that Rust draws, again when what it shows or its size has changed.
import { isCancelled } from "../engine/client.js";
import { dark } from "./dom.js";

/** @typedef {{width: number, height: number, dark: boolean}} Style */

/** Least height in CSS pixels that axes and words have room in. */
const LEAST = 170;

export class Figure {
  /** What it shows now. */
  #shown = "";
  #aspect;
  #failed;

  /** @param {HTMLElement} at @param {number} aspect height over width @param {() => void} resized @param {(error: unknown) => void} failed */
  constructor(at, aspect, resized, failed) {
    this.at = at;
    this.#aspect = aspect;
    this.#failed = failed;
    dark.addEventListener("change", resized);
    new ResizeObserver(resized).observe(at);
  }

  /** Nothing where it is not to be seen. @returns {Style | undefined} */
  get style() {
    const width = Math.round(this.at.clientWidth);
    const height = Math.round(Math.max(width * this.#aspect, LEAST));
    return width ? { width, height, dark: dark.matches } : undefined;
  }

  get svg() {
    return /** @type {SVGSVGElement | null} */ (this.at.querySelector("svg"));
  }

  /**
   * Draws it, unless it shows just that. @param {string} of what it is drawn from, all of it @param {(style: Style) => Promise<string>} make @param {() => string} [label] what it says, in words
   * @returns {Promise<boolean>} whether something else is shown now
   */
  async draw(of, make, label = () => this.at.ariaLabel ?? "") {
    const { style } = this;
    if (!style) return false;
    const key = JSON.stringify([style, of]);
    if (this.#shown === key) return false;
    this.#shown = key;
    try {
      const text = await make(style);
      if (this.#shown !== key) return false;
      if (!text) {
        // There was nothing to draw it from: it is asked for again.
        this.#shown = "";
        return false;
      }
      // Names that strangers chose stay text: nothing of it is parsed as HTML.
      const parsed = new DOMParser().parseFromString(text, "image/svg+xml").documentElement;
      this.at.replaceChildren(document.importNode(parsed, true));
      this.svg?.setAttribute("aria-label", label());
      this.at.style.aspectRatio = `${style.width} / ${style.height}`;
      return true;
    } catch (error) {
      this.#shown = "";
      // A stopped worker is asked again when it is back.
      if (!isCancelled(error)) this.#failed(error);
      return false;
    }
  }

  /** Where the axes lie on the screen, and what stands at their ends. */
  get #axes() {
    const { svg } = this;
    if (!svg?.dataset.plot) return undefined;
    const [left, right, top, bottom, first, last, low, high] = svg.dataset.plot.split(" ").map(Number);
    const box = svg.getBoundingClientRect();
    const zoom = box.width / svg.viewBox.baseVal.width;
    const ends = { left: box.left + zoom * left, right: box.left + zoom * right, top: box.top + zoom * top, bottom: box.top + zoom * bottom };
    return { ...ends, first, last, low, high };
  }

  /** What stands at a point of the screen, on the figure's axes; nothing outside of them. @param {{clientX: number, clientY: number}} event @returns {[number, number] | undefined} */
  valuesAt({ clientX: x, clientY: y }) {
    const axes = this.#axes;
    if (!axes) return undefined;
    const { left, right, top, bottom, first, last, low, high } = axes;
    if (x < left || x > right || y < top || y > bottom) return undefined;
    return [first + ((x - left) / (right - left)) * (last - first), low + ((bottom - y) / (bottom - top)) * (high - low)];
  }

  /** Where values of the axes stand on the screen. @param {number} x @param {number} y @returns {{clientX: number, clientY: number} | undefined} */
  pointAt(x, y) {
    const axes = this.#axes;
    if (!axes) return undefined;
    const { left, right, top, bottom, first, last, low, high } = axes;
    return { clientX: left + ((x - first) / (last - first)) * (right - left), clientY: bottom - ((y - low) / (high - low)) * (bottom - top) };
  }
}
