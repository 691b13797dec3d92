// What is going on: the status line, the bar, Run and Cancel, and the state of the page.
import { BESIDE, METHOD_NAMES, NETWORK_METHODS } from "../model/plan.js";
import { element, say } from "./dom.js";
import { bitsText } from "./score-table.js";

/** @typedef {import("../model/bench.js").Bench} Bench */

/** What is being done, in the words of Cancel: what takes longest first. @type {Record<string, string>} */
const PHASES = {
  optimizing: "optimizing",
  calibrating: "calibrating",
  measuring: "measuring layers",
  timing: "timing",
  filling: "the other widths",
  studying: "comparing points",
  checking: "the check",
  exporting: "the export",
  running: "the run",
  keeping: "the run",
};

export class Status {
  #bench;
  #errors;
  /** What is said while something loads. */
  #note = "";

  /** @param {Bench} bench @param {import("./errors.js").Errors} errors */
  constructor(bench, errors) {
    this.#bench = bench;
    this.#errors = errors;
    element("run").onclick = () => bench.run();
    element("cancel").onclick = () => bench.stop();
    element("undo").onclick = () => bench.settings.undo();
  }

  /** Says what is being loaded, until another word or nothing. @param {string} note */
  note(note) {
    this.#note = note;
    this.draw();
  }

  get #state() {
    const { library, loading, samples, scheduler, tasks } = this.#bench;
    if (tasks.size || scheduler.isComparing) return "running";
    if (this.#errors.any) return "error";
    if (!library.info || loading || this.#note) return "loading";
    return samples.current && !scheduler.incomplete ? "done" : "ready";
  }

  draw() {
    const { contenders, library, loading, samples, scheduler, settings, tasks } = this.#bench;
    const state = this.#state;
    /** @type {HTMLElement} */ (document.querySelector("main")).dataset.state = state;
    const failed = contenders.ids.some((id) => scheduler.failure(id));
    element("run").disabled = !library.info || loading > 0 || !samples.current || tasks.size > 0 || !(scheduler.incomplete || failed);
    element("cancel").disabled = tasks.size === 0;
    element("undo").disabled = !settings.canUndo;
    say(element("cancel"), this.#cancelled());
    this.drawProgress();
    const text = this.#text(state);
    say(element("status"), text);
    // What a screen reader says: what is being loaded, and what came of a run, but not each of its steps. Emptied while it runs,
    // so that the same outcome is said again.
    if (["loading", "running", "done", "error"].includes(state)) say(element("spoken"), state === "running" ? "" : text);
  }

  /** What Cancel ends, in a word. */
  #cancelled() {
    const { benchmark, tasks } = this.#bench;
    if (benchmark.isAtWork) return "Pause the folder";
    const word = Object.keys(PHASES).find((phase) => tasks.isAt(phase));
    return word ? `Cancel ${PHASES[word]}` : "Cancel";
  }

  drawProgress() {
    const { scheduler, tasks } = this.#bench;
    const done = (/** @type {string} */ name) => tasks.get(name)?.done ?? (scheduler.result(name) ? 1 : 0);
    const alone = tasks.get("reader");
    if (alone) element("progress").value = alone.done;
    else {
      const names = tasks.get(BESIDE) ? [...NETWORK_METHODS, BESIDE] : NETWORK_METHODS;
      element("progress").value = tasks.size ? names.reduce((sum, name) => sum + done(name), 0) / names.length : 0;
    }
  }

  /** @param {string} state */
  #text(state) {
    const { benchmark, quality, samples, scheduler, settings, tasks } = this.#bench;
    const sample = samples.current;
    if (state === "loading") return this.#note || "Loading the network…";
    if (!this.#bench.library.info) return "No network is in use: choose one, or drop an ONNX file.";
    if (!sample && !tasks.size) return "Ready. Drop an image.";
    if (benchmark.isAtWork && (!sample || !scheduler.incomplete)) return "Running the folder…";
    if (tasks.isAt("measuring")) return "Measuring what each layer costs at each width…";
    if (quality.filling) return "Running the other bit widths…";
    if (tasks.isAt("timing")) return "Running each method by itself…";
    if (tasks.isAt("studying")) return "Comparing ways to choose points…";
    if (tasks.isAt("checking")) return "Running both engines…";
    if (tasks.isAt("exporting")) return "Writing the ONNX file…";
    if (tasks.isAt("calibrating")) return "Choosing quantization points…";
    if (tasks.isAt("optimizing")) return `Optimizing the network for ${bitsText(settings.values, "dfsq-opt")} bits, and running ${sample?.name}`;
    if (state === "running" && !scheduler.incomplete) return "Analyzing the other images…";
    if (state === "running") return `Running ${[...NETWORK_METHODS, BESIDE].filter((name) => tasks.get(name)).map((name) => METHOD_NAMES[name] ?? "what is kept of another network").join(", ") || "Bicubic"} on ${sample?.name}`;
    if (state === "error") return "Stopped by an error.";
    return sample && state === "done" ? `Done: ${sample.name}, ${sample.region.width} × ${sample.region.height}` : "Ready to run.";
  }
}
