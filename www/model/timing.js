// What each method takes by itself, measured when one asks: workers that run side by side say nothing of each other. No DOM.
import { cancelled, isCancelled } from "../engine/client.js";
import { NETWORK_METHODS } from "./plan.js";

/** @typedef {import("./bench.js").Bench} Bench */

/** Runs of which the median counts, after one that prepares. */
const RUNS = 3;

const WHAT = "time alone";

export class Timing {
  #bench;
  /** Seconds by the key of a result. @type {Map<string, number>} */
  #seconds = new Map();

  /** @param {Bench} bench */
  constructor(bench) {
    this.#bench = bench;
  }

  /** Seconds that a run of a contender takes alone, if that was measured. @param {string} id @param {import("./samples.js").Sample} [sample] */
  of(id, sample = this.#bench.samples.current) {
    return this.#seconds.get(this.#bench.scheduler.keyOf(id, sample) ?? "");
  }

  get #ids() {
    const { contenders, scheduler } = this.#bench;
    return contenders.ids.filter((id) => NETWORK_METHODS.includes(contenders.get(id).method) && scheduler.result(id));
  }

  /** Whether anything of what is shown was measured. */
  get isKnown() {
    return this.#ids.some((id) => this.of(id) !== undefined);
  }

  /** Whether it can be measured now: nothing else may be at work. */
  get canMeasure() {
    const { samples } = this.#bench;
    return Boolean(samples.current) && this.#isQuiet() && this.#ids.some((id) => this.of(id) === undefined);
  }

  /** Whether nothing else is at work, or is going to be. @param {import("./tasks.js").Task} [own] */
  #isQuiet(own) {
    const { benchmark, scheduler, tasks } = this.#bench;
    const others = tasks.names.some((name) => tasks.get(name) !== own);
    return !others && benchmark.state !== "running" && !scheduler.incomplete && !scheduler.isComparing;
  }

  /** Measures what has not been, one method after another, for as long as nothing else is wanted. */
  async measure() {
    const { contenders, samples, tasks } = this.#bench;
    const sample = samples.current;
    if (!sample) return;
    const ids = this.#ids.filter((id) => this.of(id) === undefined);
    for (const id of ids) {
      const { method, chosen } = contenders.get(id);
      if (!this.#isQuiet()) return;
      try {
        await tasks.run(chosen.worker(method), WHAT, "timing", (task) => this.#measure(id, sample, task));
      } catch (error) {
        if (isCancelled(error)) return;
        throw error;
      }
    }
  }

  /** @param {string} id @param {import("./samples.js").Sample} sample @param {import("./tasks.js").Task} task */
  async #measure(id, sample, task) {
    const { contenders, engines, scheduler } = this.#bench;
    const { method, chosen } = contenders.get(id);
    const key = scheduler.keyOf(id, sample);
    const { low } = await this.#bench.pair(sample);
    const assets = await scheduler.assets(method, task, chosen);
    task.check();
    const seconds = [];
    for (let run = 0; run <= RUNS; run++) {
      const result = await engines[chosen.worker(method)].call("upscale", [low, undefined, chosen.options(method)], { assets, onProgress: (done) => task.progress((run + done) / (RUNS + 1)) });
      task.check();
      // Beside another it would be slower.
      if (!this.#isQuiet(task)) throw cancelled();
      if (run) seconds.push(result.seconds);
    }
    seconds.sort((a, b) => a - b);
    if (key) this.#seconds.set(key, seconds[RUNS >> 1]);
  }
}
