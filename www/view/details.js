// The choices beside bits and mode: one select each, and a word on how many differ from the defaults.
import { CHOICES, valueOf } from "../model/choices.js";
import { find, say } from "./dom.js";

/** @typedef {import("../model/settings.js").Settings} Settings */

export class Details {
  /** @type {[HTMLSelectElement, string[]][]} */
  #selects = [];
  #reset = document.createElement("button");
  #panel;
  #settings;

  /** @param {HTMLElement} panel @param {Settings} settings */
  constructor(panel, settings) {
    this.#panel = panel;
    this.#settings = settings;
    for (const of of new Set(CHOICES.map((choice) => choice.of))) panel.append(this.#group(of));
    Object.assign(this.#reset, { type: "button", textContent: "As in the paper’s code", onclick: () => settings.reset() });
    this.#reset.dataset.testid = "reset-choices";
    panel.append(this.#reset);
  }

  /** @param {string} of */
  #group(of) {
    const group = document.createElement("fieldset");
    group.className = "choices-group";
    const legend = document.createElement("legend");
    legend.textContent = of;
    group.append(legend);
    for (const { name, label, values, path } of CHOICES.filter((choice) => choice.of === of)) {
      const field = document.createElement("label");
      field.className = "field";
      const select = document.createElement("select");
      select.dataset.testid = `choice-${name}`;
      select.append(...values.map(([value, text]) => new Option(text, value)));
      select.addEventListener("change", () => this.#settings.choose(path, select.value));
      field.append(label, select);
      group.append(field);
      this.#selects.push([select, path]);
    }
    return group;
  }

  draw() {
    const differ = this.#selects.filter(([, path]) => !this.#settings.isDefault(path)).length;
    for (const [select, path] of this.#selects) {
      const value = valueOf(this.#settings.values, path);
      if (select.value !== value) select.value = value;
      select.classList.toggle("differs", !this.#settings.isDefault(path));
    }
    this.#reset.disabled = differ === 0;
    say(find("summary .note", this.#panel), differ ? `${differ} changed` : "");
  }
}
