// The two groups of bit widths, the link between them, and ready-made bits of layers.
import { element } from "./dom.js";

/** @typedef {import("../model/bench.js").Bench} Bench */

const GROUPS = /** @type {const} */ ([["weight-bits", "weightBits"], ["activation-bits", "activationBits"]]);

export class Bits {
  #bench;
  #link = /** @type {HTMLInputElement} */ (element("link-bits"));
  #mixed = /** @type {HTMLInputElement} */ (element("mixed-bits"));

  /** @param {Bench} bench */
  constructor(bench) {
    this.#bench = bench;
    const { mixed, settings } = bench;
    for (const [id, key] of GROUPS) {
      const group = element(id);
      for (const width of settings.defaults.bitWidths) {
        const label = document.createElement("label");
        const input = Object.assign(document.createElement("input"), { type: "radio", name: id, value: String(width) });
        const text = document.createElement("span");
        text.textContent = String(width);
        label.append(input, text);
        group.append(label);
      }
      group.addEventListener("change", (/** @type {Event} */ { target }) => {
        const width = Number(/** @type {HTMLInputElement} */ (target).value);
        if (this.#mixed.checked) mixed.choose(width);
        else settings.set(this.#link.checked ? { weightBits: width, activationBits: width } : { [key]: width });
      });
    }
    this.#link.checked = settings.values.weightBits === settings.values.activationBits;
    this.#link.addEventListener("change", () => {
      if (this.#link.checked) settings.set({ weightBits: settings.values.activationBits });
    });
    this.#mixed.addEventListener("change", () => {
      if (this.#mixed.checked) mixed.choose(settings.values.weightBits);
      else settings.set({ layerBits: {} });
    });
  }

  draw() {
    const { mixed, settings } = this.#bench;
    const { values } = settings;
    for (const [id, key] of GROUPS) {
      const input = document.querySelector(`#${id} [value="${values[key]}"]`);
      if (input instanceof HTMLInputElement) input.checked = true;
    }
    this.#mixed.checked = mixed.chosen !== undefined;
    this.#mixed.disabled = values.weightBits !== values.activationBits || !mixed.layerBits(values.weightBits);
    /** @type {HTMLElement} */ (this.#mixed.parentElement).hidden = !mixed.known;
  }
}
