// What the full-precision worker knows of the layer, channel and kernel that are looked at. No DOM.
//
// One look is under way at a time; when it ends, the newest wish comes next, so that going through layers quickly does not
// leave a run for each behind.
import { isCancelled } from "../engine/client.js";
import { QUANTIZED_METHODS } from "./plan.js";

/**
 * @typedef {import("./bench.js").Bench} Bench
 * @typedef {import("../pkg/dfsq.js").ChannelPicture} ChannelPicture
 * @typedef {import("../pkg/dfsq.js").ChannelSummary} ChannelSummary
 * @typedef {import("../pkg/dfsq.js").KernelView} KernelView
 * @typedef {import("../pkg/dfsq.js").Options} Options
 * @typedef {{of: string, ofLayer: string, layer: number, channel: number, index: number, picture: ChannelPicture, kernel: KernelView, summaries: ChannelSummary[]}} Seen
 * `index` is that of the kernel
 */

export class CloseUp {
  /** Index of the layer's kernel that is looked at. */
  kernel = 0;
  #bench;
  #busy = false;
  /** @type {Seen | undefined} */
  #seen;
  /** What could not be had, and is not tried again. */
  #failed = "";

  /** @param {Bench} bench */
  constructor(bench) {
    this.#bench = bench;
  }

  /** The methods that have all they need, each with the options of a run. @returns {Partial<Options>[]} */
  get methods() {
    const { making, scheduler, settings } = this.#bench;
    const known = (/** @type {string} */ method) => (method === "dfsq-opt" ? making.optimizedIsKnown : !settings.chosen.usesCalibration(method) || making.calibration);
    return QUANTIZED_METHODS.filter((method) => known(method) && this.#bench.offers(method)).map((method) => settings.chosen.options(method));
  }

  /** What the worker must have for them. */
  get assets() {
    const { library, making } = this.#bench;
    return { network: library.network, calibration: making.calibration, optimized: making.optimized() };
  }

  /** All that the worker's answers about a layer depend on; nothing where there is no sample, or no layer that is quantized. @returns {string} */
  get ofLayer() {
    const { focus, library, making, samples, scheduler } = this.#bench;
    const key = samples.current && scheduler.analysisKey(samples.current);
    return key && focus.layers.length ? JSON.stringify([key, focus.layer, library.info?.identity, this.methods, making.calibration?.sha256, making.optimized()?.variants.map(({ sha256 }) => sha256)]) : "";
  }

  /** What is wished for now. */
  get #wanted() {
    const { channel, method, points } = this.#bench.focus;
    const { ofLayer } = this;
    return ofLayer && JSON.stringify([ofLayer, channel, this.kernel, method, points]);
  }

  /** What is known of just what is looked at. @returns {Seen | undefined} */
  get seen() {
    return this.#seen?.of === this.#wanted ? this.#seen : undefined;
  }

  /** The distributions of the layer's channels, where they are known. @returns {ChannelSummary[]} */
  get summaries() {
    return this.#ofSameLayer?.summaries ?? [];
  }

  /** Whether a look is under way. */
  get isBusy() {
    return this.#busy;
  }

  /** What was seen last, if it was of the layer that is looked at. */
  get #ofSameLayer() {
    return this.#seen?.ofLayer === this.ofLayer ? this.#seen : undefined;
  }

  /** Looks, unless that is known or the worker is at something else. Throws what goes wrong, once. */
  async update() {
    const { samples, scheduler, tasks } = this.#bench;
    const wanted = this.#wanted;
    if (this.#busy || !wanted || wanted === this.#failed || this.seen || !scheduler.isAnalyzed(samples.current) || tasks.get("fp32")) return;
    this.#busy = true;
    try {
      await this.#look(wanted);
    } catch (error) {
      // A worker that was stopped, or has forgotten the sample because something else is looked at now, is asked again.
      if (isCancelled(error) || this.#wanted !== wanted || !scheduler.isAnalyzed(samples.current)) return;
      this.#failed = wanted;
      throw error;
    } finally {
      this.#busy = false;
      this.#bench.changed();
    }
  }

  /** @param {string} of */
  async #look(of) {
    const { engines, focus, samples, scheduler } = this.#bench;
    const sample = samples.current;
    const key = sample && scheduler.analysisKey(sample);
    if (!sample || !key) return;
    const { layer, channel, method, points } = focus;
    const { assets, methods, kernel, ofLayer } = this;
    // Of the layer nothing is asked again.
    const before = this.#ofSameLayer;
    const { low } = await this.#bench.pair(sample);
    const [, picture, weights, distributions] = await Promise.all([
      engines.fp32.call("holdInput", [low, key, layer], { assets }),
      engines.fp32.call("channel", [key, { layer, channel, methods, lookedAt: method, points }], { assets }),
      before?.index === kernel ? before.kernel : engines.fp32.call("kernel", [layer, kernel, methods], { assets }),
      before?.summaries ?? engines.fp32.call("distributions", [key, layer]),
    ]);
    this.#seen = { of, ofLayer, layer, channel, index: kernel, picture, kernel: weights, summaries: distributions };
  }
}
