// What points are chosen on, and the mode.
import { element } from "./dom.js";

/** @typedef {import("../model/bench.js").Bench} Bench */

export class CalibrationButtons {
  #bench;

  /** @param {Bench} bench */
  constructor(bench) {
    this.#bench = bench;
    element("calibrate").onclick = () => bench.calibrateOn("images");
    element("calibrate-patches").onclick = () => bench.calibrateOn("patches");
    element("use-shipped").onclick = () => bench.calibrateOn("shipped");
    element("mode").addEventListener("change", (/** @type {Event} */ event) => {
      bench.settings.set({ mode: /** @type {any} */ (event.target).value });
    });
  }

  draw() {
    const { library, samples, settings, tasks } = this.#bench;
    const busy = tasks.size > 0 || !library.info;
    element("calibrate").disabled = busy || !samples.current;
    element("calibrate-patches").disabled = busy;
    element("use-shipped").disabled = busy;
    element("use-shipped").hidden = !this.#bench.canUseShipped;
    /** @type {HTMLInputElement} */ (document.querySelector(`[name=mode][value="${settings.values.mode}"]`)).checked = true;
  }
}
