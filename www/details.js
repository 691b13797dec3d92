// The choices beside bits and mode: one select each, and a word on how many differ from the defaults.
import { CHOICES, defaults, get, set } from "./settings.js";

/** @typedef {import("./settings.js").Settings} Settings */

/** Fills the panel from `settings` and keeps them up to date. Returns what draws it again. @param {HTMLElement} panel @param {Settings} settings @param {() => void} changed */
export function setUpDetails(panel, settings, changed) {
  /** @type {[HTMLSelectElement, string[]][]} */
  const selects = [];
  for (const of of new Set(CHOICES.map((choice) => choice.of))) {
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
      select.addEventListener("change", () => {
        set(settings, path, select.value);
        draw();
        changed();
      });
      field.append(label, select);
      group.append(field);
      selects.push([select, path]);
    }
    panel.append(group);
  }
  const reset = document.createElement("button");
  reset.type = "button";
  reset.dataset.testid = "reset-choices";
  reset.textContent = "As in the paper’s code";
  reset.onclick = () => {
    for (const { path } of CHOICES) set(settings, path, get(defaults(), path));
    draw();
    changed();
  };
  panel.append(reset);

  function draw() {
    const plain = defaults();
    let differ = 0;
    for (const [select, path] of selects) {
      select.value = get(settings, path);
      const isDefault = select.value === get(plain, path);
      select.classList.toggle("differs", !isDefault);
      if (!isDefault) differ++;
    }
    reset.disabled = differ === 0;
    const note = panel.querySelector("summary .note");
    if (note) note.textContent = differ ? `${differ} changed` : "";
  }
  draw();
  return draw;
}
