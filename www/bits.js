// The two groups of bit widths, and the link between them.
import { BIT_WIDTHS } from "./settings.js";

/** @typedef {{weightBits: number, activationBits: number}} Bits */

const GROUPS = /** @type {const} */ ([["weight-bits", "weightBits"], ["activation-bits", "activationBits"]]);

/** Fills the groups from `bits` and keeps `bits` up to date. @param {Bits} bits @param {() => void} changed */
export function setUpBits(bits, changed) {
  const link = /** @type {HTMLInputElement} */ (document.getElementById("link-bits"));
  const show = () => {
    for (const [id, key] of GROUPS) {
      const input = document.querySelector(`#${id} [value="${bits[key]}"]`);
      if (input instanceof HTMLInputElement) input.checked = true;
    }
  };
  for (const [id, key] of GROUPS) {
    const group = document.getElementById(id);
    for (const width of BIT_WIDTHS) {
      const label = document.createElement("label");
      label.innerHTML = `<input type="radio" name="${id}" value="${width}"><span>${width}</span>`;
      group?.append(label);
    }
    group?.addEventListener("change", ({ target }) => {
      const width = Number(/** @type {HTMLInputElement} */ (target).value);
      if (link.checked) bits.weightBits = bits.activationBits = width;
      else bits[key] = width;
      show();
      changed();
    });
  }
  link.checked = bits.weightBits === bits.activationBits;
  link.addEventListener("change", () => {
    if (!link.checked) return;
    bits.weightBits = bits.activationBits;
    show();
    changed();
  });
  show();
}
