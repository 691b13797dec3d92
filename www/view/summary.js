// The sentence that says what is to be seen, with links to where it is shown.
import { summary } from "../model/summary.js";
import { element } from "./dom.js";

/** @typedef {import("../model/summary.js").Part} Part */

/** @param {import("../model/bench.js").Bench} bench */
export function makeSummary(bench) {
  let drawn = "";
  /** @param {Part} part */
  const link = ({ text, method, layer, channel }) => {
    if (!method) return text;
    const button = Object.assign(document.createElement("button"), { type: "button", textContent: text, className: "link-like" });
    if (layer === undefined) button.dataset.method = method;
    button.onclick = () => {
      bench.focus.set({ method, ...(layer === undefined ? {} : { layer }), ...(channel === undefined ? {} : { channel }) });
      const shown = layer === undefined ? "scores" : channel === undefined ? "noise" : "why";
      element(shown).scrollIntoView({ block: "start", behavior: matchMedia("(prefers-reduced-motion: reduce)").matches ? "auto" : "smooth" });
    };
    return button;
  };
  return {
    draw() {
      const parts = summary(bench);
      const key = JSON.stringify(parts);
      element("summary").hidden = !parts.length;
      if (key === drawn) return;
      drawn = key;
      element("summary").replaceChildren(...parts.map(link));
    },
  };
}
