// What is asked for by itself: what each layer costs, bits assigned by that, a channel studied, and a calibration to save. No DOM.
import { cancelled } from "../engine/client.js";

/**
 * @typedef {import("./bench.js").Bench} Bench
 * @typedef {import("./library.js").CalibrationFile} CalibrationFile
 * @typedef {import("../pkg/dfsq.js").LayerErrors} LayerErrors
 * @typedef {import("../pkg/dfsq.js").Budget} Budget
 */

export class Inquiries {
  #bench;
  /** What was measured, with what it is of. @type {{of: string, errors: LayerErrors[]} | undefined} */
  #measured;
  /** The method that layers are quantized with to be measured. */
  method = "dfsq-opt";
  /** The last study, with what it is of. @type {{of: string, study: import("../pkg/dfsq.js").Study} | undefined} */
  #study;

  /** The last comparison of both engines, with what it is of. @type {{of: string, check: import("../pkg/dfsq.js").EngineCheck} | undefined} */
  #checked;

  /** @param {Bench} bench */
  constructor(bench) {
    this.#bench = bench;
  }

  /** The widths that layers are measured at, narrowest first. */
  get widths() {
    return this.#bench.settings.quantizedWidths.reverse();
  }

  /** What each layer costs at each of `widths`, where that has been measured. @returns {LayerErrors[] | undefined} */
  get layerErrors() {
    const { making, settings } = this.#bench;
    const calibration = settings.chosen.usesCalibration(this.method) ? making.calibrationOf(settings.chosen, this.widths) : undefined;
    return this.#measured?.of === this.#of(this.method, calibration) ? this.#measured.errors : undefined;
  }

  /** What a measurement is of. @param {string} method @param {{sha256: string} | undefined} calibration */
  #of(method, calibration) {
    const { library, settings } = this.#bench;
    const made = method === "dfsq-opt" ? [settings.chosen.optimalPoints, settings.values.recipe] : calibration?.sha256;
    return JSON.stringify([library.info?.identity, settings.chosen.at(4).options(method), made]);
  }

  /** Measures what each layer costs at each width when it alone is quantized. */
  async measureLayers() {
    const { engines, library, making, scheduler, settings, tasks } = this.#bench;
    const { method } = this;
    this.#bench.stop();
    await tasks.run(method, "measurement", "measuring", async (task) => {
      const calibration = settings.chosen.usesCalibration(method) ? await making.calibrationFor(method, task, settings.chosen, this.widths) : undefined;
      const patches = await making.measuredPatches();
      task.check();
      const of = this.#of(method, calibration);
      const [options, { optimalPoints }, { recipe }] = [settings.chosen.at(4).options(method), settings.chosen, settings.values];
      const assets = { network: library.network, calibration };
      const errors = await engines[method].call("layerErrors", [patches, options, optimalPoints, recipe, this.widths], { assets, onProgress: (done) => task.progress(done) });
      this.#measured = { of, errors };
    });
  }

  /** Sets the bits of single layers so that the error is least, under a budget of so many bits everywhere. @param {Budget} budget @param {number} bits */
  async assignBits(budget, bits) {
    const { engines, library, settings } = this.#bench;
    const { layerErrors } = this;
    if (!layerErrors || !library.info) return;
    const { layers } = library.info;
    const assigned = await engines.images.call("assignBits", [layerErrors, this.widths, budget, bits]);
    if (!assigned) throw new Error(`no width is as low as ${bits} bits`);
    settings.set({ layerBits: Object.fromEntries(layerErrors.map(({ layer }, i) => [layers[layer].name, assigned[i]])) });
  }

  /** The calibration for the present settings, with points for all widths that are offered. @returns {Promise<CalibrationFile>} */
  async wholeCalibration() {
    const { making, settings, tasks } = this.#bench;
    const widths = making.savedWidths;
    return making.calibrationOf(settings.chosen, widths) ?? tasks.run("dfsq", "whole calibration", "calibrating", (task) => making.calibrationFor("dfsq", task, settings.chosen, widths));
  }

  /** The network as a method quantizes it with the present settings, as an ONNX file that other runtimes run. @param {string} method */
  exportOnnx(method) {
    const { engines, library, scheduler, settings, tasks } = this.#bench;
    return tasks.run(method, "export", "exporting", async (task) => {
      const { network } = library;
      if (!network) throw cancelled();
      const options = settings.chosen.options(method);
      const assets = await scheduler.assets(method, task);
      task.check();
      return engines[method].call("exportOnnx", [network.bytes, options], { assets });
    });
  }

  /** Min-max as runtimes compute it in integers, with the bits of weights that are chosen: ranges are static, activations have 8 bits. */
  get #integers() {
    const { chosen } = this.#bench.settings;
    const layerBits = Object.entries(chosen.values.layerBits).map(([name, [weights, activations]]) => [name, [weights, activations === 32 ? 32 : 8]]);
    return chosen.with({ minMaxRange: "static", rangeEstimator: "min-max", rangeGranularity: "layer", activationBits: 8, layerBits: Object.fromEntries(layerBits) });
  }

  /** The network with static min-max, as an ONNX file whose quantized convolutions other runtimes compute in integers. */
  exportInteger() {
    const { engines, library, making, scheduler, tasks } = this.#bench;
    return tasks.run("min-max", "export", "exporting", async (task) => {
      const { network } = library;
      if (!network) throw cancelled();
      const chosen = this.#integers;
      const assets = await scheduler.assets("min-max", task, chosen);
      const pictures = await making.calibrationPictures(chosen);
      task.check();
      return engines["min-max"].call("exportInteger", [network.bytes, chosen.options("min-max"), pictures], { assets, onProgress: (done) => task.progress(done) });
    });
  }

  /** What a study of what is looked at depends on. */
  get studyKey() {
    const { focus, samples, scheduler, settings } = this.#bench;
    const sample = samples.current;
    return JSON.stringify([focus.layer, focus.channel, sample && scheduler.analysisKey(sample), this.#bench.layerBits()[focus.layer], settings.values.points]);
  }

  /** The study of what is looked at, where it was made. @returns {import("../pkg/dfsq.js").Study | undefined} */
  get studied() {
    return this.#study?.of === this.studyKey ? this.#study.study : undefined;
  }

  /** Compares the ways of choosing points of the channel that is looked at for the current sample. */
  study() {
    const { engines, focus, library, making, samples, tasks } = this.#bench;
    const { layer, channel } = focus;
    const [sample, of, bits] = [samples.current, this.studyKey, this.#bench.layerBits()[focus.layer]?.[1]];
    const assets = { network: library.network, calibration: making.calibration };
    return tasks.run("fp32", "study", "studying", async (task) => {
      const key = sample && this.#bench.scheduler.analysisKey(sample);
      if (!sample || !key) throw cancelled();
      const { low } = await this.#bench.pair(sample);
      task.check();
      await engines.fp32.call("holdInput", [low, key, layer], { assets, onProgress: (done) => task.progress(done) });
      const study = await engines.fp32.call("study", [key, layer, channel, bits], { assets });
      this.#study = { of, study };
    });
  }

  /** What a comparison of both engines depends on. */
  get #checkKey() {
    const { library, samples } = this.#bench;
    return samples.current && JSON.stringify([library.info?.identity, this.#bench.inputKey(samples.current)]);
  }

  /** How far both engines are apart on the picture, where that was asked for. @returns {import("../pkg/dfsq.js").EngineCheck | undefined} */
  get engineCheck() {
    return this.#checked?.of === this.#checkKey ? this.#checked?.check : undefined;
  }

  /** Runs the picture in full precision by both engines, one after the other, with nothing beside them. */
  async checkEngines() {
    const { engines, library, samples, tasks } = this.#bench;
    const [of, sample, network] = [this.#checkKey, samples.current, library.network];
    if (!of || !sample || !network) return;
    this.#bench.stop();
    await tasks.run("reader", "engines", "checking", async (task) => {
      const { low } = await this.#bench.pair(sample);
      task.check();
      const { bytes, properties, stated } = network;
      const check = await engines.reader.call("checkEngines", [bytes, properties, stated, low], { onProgress: (done) => task.progress(done) });
      this.#checked = { of, check };
      engines.reader.stop();
    });
  }
}
