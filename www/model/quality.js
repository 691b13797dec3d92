// How good the current sample's pictures are at every bit width. No DOM.
import { isCancelled } from "../engine/client.js";
import { QUANTIZED_METHODS } from "./plan.js";

/** @typedef {import("./bench.js").Bench} Bench */

const whatOf = (/** @type {string} */ method) => `quality of ${method}`;

export class Quality {
  #bench;

  /** @param {Bench} bench */
  constructor(bench) {
    this.#bench = bench;
  }

  /** Bits of weights and activations alike, ascending. */
  get widths() {
    return this.#bench.settings.quantizedWidths.reverse();
  }

  /** Index of the width that is looked at; -1 where bits are mixed. */
  get selected() {
    const { weightBits, activationBits, layerBits } = this.#bench.settings.values;
    return weightBits === activationBits && !Object.keys(layerBits).length ? this.widths.indexOf(weightBits) : -1;
  }

  /** PSNR in dB by method and width; NaN where it is not known. @returns {[number[], number[], number[]]} */
  get decibels() {
    const { scheduler, settings } = this.#bench;
    const of = (/** @type {string} */ method) => this.widths.map((width) => scheduler.score(method, undefined, settings.chosen.at(width))?.psnrY ?? NaN);
    return /** @type {[number[], number[], number[]]} */ (QUANTIZED_METHODS.map(of));
  }

  /** Whether something can be filled in now: the present setting comes first. */
  get canFill() {
    const { samples, scheduler, tasks } = this.#bench;
    return Boolean(samples.current) && !tasks.size && !scheduler.incomplete && this.#missing.length > 0;
  }

  /** Methods and widths that are not known and can be. */
  get #missing() {
    const { settings } = this.#bench;
    const known = this.decibels;
    const all = QUANTIZED_METHODS.flatMap((method, row) => this.widths.map((width, i) => ({ method, width, decibels: known[row][i] })));
    return all.filter(({ method, width, decibels }) => Number.isNaN(decibels) && this.#bench.offers(method, settings.chosen.at(width)));
  }

  /** Whether it is being filled in. */
  get filling() {
    return QUANTIZED_METHODS.some((method) => this.#bench.tasks.get(method)?.what === whatOf(method));
  }

  /** Runs every method at every width that is missing, side by side. */
  async fill() {
    const { samples, tasks } = this.#bench;
    const sample = samples.current;
    if (!sample) return;
    const runs = QUANTIZED_METHODS.map((method) => tasks.run(method, whatOf(method), "filling", (task) => this.#fill(method, sample, task)));
    const failed = (await Promise.allSettled(runs)).flatMap((run) => (run.status === "rejected" && !isCancelled(run.reason) ? [run.reason] : []));
    if (failed.length) throw failed[0];
  }

  /** @param {string} method @param {import("./samples.js").Sample} sample @param {import("./tasks.js").Task} task */
  async #fill(method, sample, task) {
    const { scheduler, settings } = this.#bench;
    const each = this.widths.map((width) => settings.chosen.at(width));
    for (const chosen of each.filter((chosen) => this.#bench.offers(method, chosen))) {
      if (!scheduler.isScored(method, sample, chosen)) await scheduler.run(method, sample, task, chosen);
      task.check();
      // Without a reference, that is the score.
      await scheduler.compareWithFull(sample, chosen);
      this.#bench.changed();
    }
  }
}
