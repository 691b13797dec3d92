// Bits of single layers: by hand, or assigned under a budget from what each layer alone costs.
import { QUANTIZED_METHODS } from "../model/plan.js";
import { same } from "../model/same.js";
import { averageText } from "./costs.js";
import { find } from "./dom.js";

/** @typedef {import("../model/bench.js").Bench} Bench */

/** As PSNR of the output with this layer alone quantized. @param {number} error */
const decibels = (error) => (error > 0 ? (-10 * Math.log10(error)).toFixed(1) : "∞");

export class LayerBits {
  #panel;
  #bench;
  /** What the table shows now. */
  #shown = "";

  /** @param {HTMLElement} panel @param {Bench} bench @param {import("./errors.js").Errors} errors */
  constructor(panel, bench, errors) {
    this.#panel = panel;
    this.#bench = bench;
    const { inquiries, settings } = bench;
    find("tbody", panel).addEventListener("change", (/** @type {Event} */ event) => this.#chosen(/** @type {HTMLSelectElement} */ (event.target)));
    find("[data-testid=reset-layers]", panel).onclick = () => settings.set({ layerBits: {} });
    const tell = (/** @type {unknown} */ error) => errors.tell(error);
    find("[data-testid=measure-layers]", panel).onclick = () => inquiries.measureLayers().catch(tell);
    find("[data-testid=measured-method]", panel).onchange = (/** @type {Event} */ event) => {
      inquiries.method = /** @type {HTMLSelectElement} */ (event.target).value;
      bench.changed();
    };
    const chosen = (/** @type {string} */ id) => find(`[data-testid=${id}]`, panel).value;
    find("[data-testid=assign-bits]", panel).onclick = () => inquiries.assignBits(chosen("assigned-budget"), Number(chosen("average-bits"))).catch(tell);
    panel.addEventListener("toggle", () => this.draw());
  }

  /** @param {HTMLSelectElement} select */
  #chosen(select) {
    const { library, settings } = this.#bench;
    const layer = library.info?.layers.find(({ name }) => name === select.closest("tr")?.dataset.layer);
    if (!layer) return;
    const pair = /** @type {[number, number]} */ ([...settings.chosen.bitsOf(layer)]);
    pair[Number(select.dataset.operand)] = Number(select.value);
    const { [layer.name]: _, ...others } = settings.values.layerBits;
    const plain = same(pair, settings.chosen.with({ layerBits: others }).bitsOf(layer));
    settings.set({ layerBits: plain ? others : { ...others, [layer.name]: pair } });
  }

  draw() {
    const { inquiries, library, settings, tasks } = this.#bench;
    const { weightBits, activationBits, layerBits } = settings.values;
    const { layerErrors } = inquiries;
    const count = Object.keys(layerBits).length;
    find("summary .note", this.#panel).textContent = count ? `${count} set${this.#average()}` : "";
    find("[data-testid=measure-layers]", this.#panel).disabled = !library.info || tasks.size > 0;
    find("[data-testid=assign-bits]", this.#panel).disabled = !layerErrors;
    find("[data-testid=reset-layers]", this.#panel).disabled = count === 0;
    const now = JSON.stringify([library.info?.identity, layerBits, weightBits, activationBits, layerErrors]);
    if (now === this.#shown || !(/** @type {HTMLDetailsElement} */ (this.#panel).open)) return;
    this.#shown = now;
    const focused = /** @type {HTMLElement} */ (document.activeElement)?.dataset?.at;
    const rows = (library.info?.layers ?? []).flatMap((layer, index) => (layer.quantized ? [this.#row(layer, index)] : []));
    find("tbody", this.#panel).replaceChildren(...rows);
    if (focused) find(`[data-at="${CSS.escape(focused)}"]`, this.#panel)?.focus();
  }

  /** @param {import("../pkg/dfsq.js").LayerInfo} layer @param {number} index */
  #row(layer, index) {
    const { inquiries, settings } = this.#bench;
    const { name } = layer;
    const row = document.createElement("tr");
    row.dataset.layer = name;
    row.classList.toggle("differs", name in settings.values.layerBits);
    const head = document.createElement("th");
    head.scope = "row";
    head.textContent = name;
    head.title = name;
    row.append(head);
    const pair = settings.chosen.bitsOf(layer);
    for (const [operand, word] of ["weights", "activations"].entries()) {
      const select = document.createElement("select");
      select.ariaLabel = `Bits of the ${word} of ${name}`;
      select.dataset.operand = String(operand);
      select.dataset.at = `${name} ${operand}`;
      select.append(...settings.defaults.layerBitWidths.map((width) => new Option(String(width), String(width), false, width === pair[operand])));
      const cell = document.createElement("td");
      cell.append(select);
      row.append(cell);
    }
    const measured = inquiries.layerErrors?.find(({ layer }) => layer === index);
    for (const [i] of inquiries.widths.entries()) {
      const cell = document.createElement("td");
      cell.textContent = measured ? measured.errors.map((errors) => decibels(errors[i])).join("\n") : "–";
      row.append(cell);
    }
    return row;
  }

  /** Of what runs with these bits. */
  #average() {
    const { scheduler } = this.#bench;
    const costs = QUANTIZED_METHODS.map((method) => scheduler.result(method)?.costs).find(Boolean);
    return costs?.averageBits ? `, on average ${averageText(costs.averageBits)}` : "";
  }
}
