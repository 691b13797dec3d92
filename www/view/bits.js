// The two groups of bit widths, and the link between them.
import { element } from "./dom.js";

/** @typedef {import("../model/settings.js").Settings} Settings */

const GROUPS = /** @type {const} */ ([["weight-bits", "weightBits"], ["activation-bits", "activationBits"]]);

export class Bits {
  #settings;
  #link = /** @type {HTMLInputElement} */ (element("link-bits"));

  /** @param {Settings} settings */
  constructor(settings) {
    this.#settings = settings;
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
        settings.set(this.#link.checked ? { weightBits: width, activationBits: width } : { [key]: width });
      });
    }
    this.#link.checked = settings.values.weightBits === settings.values.activationBits;
    this.#link.addEventListener("change", () => {
      if (this.#link.checked) settings.set({ weightBits: settings.values.activationBits });
    });
  }

  draw() {
    for (const [id, key] of GROUPS) {
      const input = document.querySelector(`#${id} [value="${this.#settings.values[key]}"]`);
      if (input instanceof HTMLInputElement) input.checked = true;
    }
  }
}
