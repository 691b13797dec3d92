// Bits of single layers: by hand, or assigned under a budget from what each layer alone costs.
import { WIDTHS } from "./laboratory.js";
import { BIT_WIDTHS } from "./settings.js";

/** @typedef {import("./laboratory.js").Laboratory} Laboratory */

/** @param {string} selector @param {ParentNode} parent @returns {any} */
const find = (selector, parent) => parent.querySelector(selector);

/** As PSNR of the output with this layer alone quantized. @param {number} error */
const decibels = (error) => (error > 0 ? (-10 * Math.log10(error)).toFixed(1) : "∞");

export class LayerBits {
  #panel;
  #laboratory;
  #changed;
  /** What the table shows now. */
  #shown = "";

  /** @param {HTMLElement} panel @param {Laboratory} laboratory @param {() => void} changed called after bits have changed @param {(error: unknown) => void} fail */
  constructor(panel, laboratory, changed, fail) {
    this.#panel = panel;
    this.#laboratory = laboratory;
    this.#changed = changed;
    const { settings } = laboratory;
    find("tbody", panel).addEventListener("change", (/** @type {Event} */ event) => {
      const select = /** @type {HTMLSelectElement} */ (event.target);
      const name = String(select.closest("tr")?.dataset.layer);
      const pair = [...(settings.layerBits[name] ?? [settings.weightBits, settings.activationBits])];
      pair[Number(select.dataset.operand)] = Number(select.value);
      if (pair[0] === settings.weightBits && pair[1] === settings.activationBits) delete settings.layerBits[name];
      else settings.layerBits[name] = /** @type {[number, number]} */ (pair);
      this.draw();
      changed();
    });
    find("[data-testid=reset-layers]", panel).onclick = () => {
      settings.layerBits = {};
      this.draw();
      changed();
    };
    find("[data-testid=measure-layers]", panel).onclick = () => laboratory.measureLayers().then(() => this.draw(), fail);
    find("[data-testid=assign-bits]", panel).onclick = () => {
      const average = Number(find("[data-testid=average-bits]", panel).value);
      laboratory.assignBits(average).then(() => {
        this.draw();
        changed();
      }, fail);
    };
    panel.addEventListener("toggle", () => this.draw());
  }

  draw() {
    const { info, settings, layerErrors, running } = this.#laboratory;
    const count = Object.keys(settings.layerBits).length;
    find("summary .note", this.#panel).textContent = count ? `${count} set, ${this.#average()} bits on average` : "";
    find("[data-testid=measure-layers]", this.#panel).disabled = !info || running.size > 0;
    find("[data-testid=assign-bits]", this.#panel).disabled = !layerErrors;
    find("[data-testid=reset-layers]", this.#panel).disabled = count === 0;
    const now = JSON.stringify([info?.sha256, settings.layerBits, settings.weightBits, settings.activationBits, layerErrors]);
    if (now === this.#shown || !(/** @type {HTMLDetailsElement} */ (this.#panel).open)) return;
    this.#shown = now;
    const focused = /** @type {HTMLElement} */ (document.activeElement)?.dataset?.at;
    const rows = (info?.layers ?? []).flatMap((layer, index) => (layer.quantized ? [this.#row(layer.name, index)] : []));
    find("tbody", this.#panel).replaceChildren(...rows);
    if (focused) find(`[data-at="${CSS.escape(focused)}"]`, this.#panel)?.focus();
  }

  /** @param {string} name @param {number} index */
  #row(name, index) {
    const { settings, layerErrors } = this.#laboratory;
    const row = document.createElement("tr");
    row.dataset.layer = name;
    row.classList.toggle("differs", name in settings.layerBits);
    const head = document.createElement("th");
    head.scope = "row";
    head.textContent = name;
    head.title = name;
    row.append(head);
    const pair = settings.layerBits[name] ?? [settings.weightBits, settings.activationBits];
    for (const [operand, word] of ["weights", "activations"].entries()) {
      const select = document.createElement("select");
      select.ariaLabel = `Bits of the ${word} of ${name}`;
      select.dataset.operand = String(operand);
      select.dataset.at = `${name} ${operand}`;
      select.append(...BIT_WIDTHS.map((width) => new Option(String(width), String(width), false, width === pair[operand])));
      const cell = document.createElement("td");
      cell.append(select);
      row.append(cell);
    }
    const measured = layerErrors?.find(({ layer }) => layer === index);
    for (const [i] of WIDTHS.entries()) {
      const cell = document.createElement("td");
      cell.textContent = measured ? decibels(measured.errors[i]) : "–";
      row.append(cell);
    }
    return row;
  }

  /** Of the weights of all quantized layers. */
  #average() {
    const layers = this.#laboratory.info?.layers ?? [];
    const bits = this.#laboratory.layerBits();
    let [sum, total] = [0, 0];
    for (const [i, layer] of layers.entries()) {
      if (!layer.quantized) continue;
      const weights = layer.inputs * layer.outputs * layer.kernel[0] * layer.kernel[1] / layer.groups;
      sum += weights * bits[i][0];
      total += weights;
    }
    return (sum / total).toFixed(2);
  }
}
