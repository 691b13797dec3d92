// The open images: which one is looked at, and closing it.
import { element } from "./dom.js";

/** @typedef {import("../model/bench.js").Bench} Bench */

export class SampleList {
  #bench;
  #select = /** @type {HTMLSelectElement} */ (element("sample"));
  /** What the list shows now. */
  #shown = "";

  /** @param {Bench} bench */
  constructor(bench) {
    this.#bench = bench;
    this.#select.addEventListener("change", () => bench.chooseSample(Number(this.#select.value)));
    element("close-sample").onclick = () => bench.removeImage(bench.samples.active);
  }

  draw() {
    const { list, active } = this.#bench.samples;
    element("close-sample").disabled = !list.length;
    const now = JSON.stringify([list.map(({ name }) => name), active]);
    // Rebuilding an open list would close it.
    if (now !== this.#shown) this.#select.replaceChildren(...list.map(({ name }, i) => new Option(name, String(i), i === active, i === active)));
    this.#shown = now;
  }
}
