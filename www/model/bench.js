// The bench: settings, network, samples and results, and the workers that compute them. No DOM; the page listens to
// "change", "progress" and "failed".
import { EngineError, cancelled, isCancelled } from "../engine/client.js";
import { workerMemory } from "../engine/support.js";
import { Benchmark } from "./benchmark.js";
import { CloseUp } from "./close-up.js";
import { Contenders } from "./contenders.js";
import { Focus } from "./focus.js";
import { Inquiries } from "./inquiries.js";
import { inputKey } from "./keys.js";
import { Library } from "./library.js";
import { Making } from "./making.js";
import { Mixed } from "./mixed.js";
import { Pairs } from "./pairs.js";
import { Places } from "./places.js";
import { BESIDE, NETWORK_METHODS, TYPICAL_SPEED } from "./plan.js";
import { Quality } from "./quality.js";
import { Results } from "./results.js";
import { Samples } from "./samples.js";
import { Scheduler } from "./scheduler.js";
import { same } from "./same.js";
import { Tasks } from "./tasks.js";
import { Timing } from "./timing.js";

/**
 * @typedef {import("../engine/client.js").Engine} Engine
 * @typedef {import("./settings.js").Settings} Settings
 * @typedef {import("./samples.js").Sample} Sample
 * @typedef {import("./plan.js").Region} Region
 * @typedef {import("../pkg/dfsq.js").NetworkInfo} NetworkInfo
 * @typedef {import("../engine/client.js").NetworkFile} NetworkFile
 * @typedef {{network: NetworkFile, calibration?: Uint8Array, optimized?: Uint8Array}} NetworkFiles a network, and what came with it
 */

/** One worker a method, one for networks that are kept beside the one in use, one that decodes, shrinks and scores, and one that tries networks before they are used. @param {(name: string) => Engine} make @returns {Record<string, Engine>} */
export const makeEngines = (make) => Object.fromEntries([...NETWORK_METHODS, BESIDE, "images", "reader"].map((name) => [name, make(name)]));

export class Bench extends EventTarget {
  /** Networks and files that are being loaded; nothing is computed meanwhile. */
  loading = 0;
  speed = TYPICAL_SPEED;
  /** The networks that are offered. @type {import("./networks.js").Entry[]} */
  listed = [];
  /** The methods whose pictures are shown, which run first. @type {string[]} */
  shown = [];
  /** What the network in use was made of, and how it was read. @type {{files: NetworkFiles, reading: import("./choices.js").Reading} | undefined} */
  #inUse;
  #isReading = false;

  /** @param {Record<string, Engine>} engines see `makeEngines` @param {Settings} settings @param {() => Promise<Uint8Array[]>} sampleFiles the bundled samples, of which patches are made @param {number} [rest] milliseconds after which what changes often is followed */
  constructor(engines, settings, sampleFiles, rest = 250) {
    super();
    this.engines = engines;
    this.settings = settings;
    this.sampleFiles = sampleFiles;
    this.library = new Library();
    this.samples = new Samples();
    this.results = new Results();
    this.pairs = new Pairs(engines.images);
    this.tasks = new Tasks(() => this.changed(), () => this.dispatchEvent(new Event("progress")));
    this.making = new Making(this);
    this.mixed = new Mixed(this);
    this.contenders = new Contenders(this);
    this.scheduler = new Scheduler(this, rest);
    this.focus = new Focus(this);
    this.closeUp = new CloseUp(this);
    this.places = new Places(this);
    this.inquiries = new Inquiries(this);
    this.quality = new Quality(this);
    this.timing = new Timing(this);
    this.benchmark = new Benchmark(this);
    let { mode } = settings.values;
    settings.addEventListener("change", () => {
      if (settings.values.mode !== mode) this.samples.fit(this.cost());
      ({ mode } = settings.values);
      // Other bits or settings have other points.
      this.focus.points = undefined;
      this.#wantAgain();
      this.#readAnew();
    });
  }

  /** Something is other than it was. */
  changed() {
    this.dispatchEvent(new Event("change"));
  }

  /** Others are kept than before. */
  contendersChanged() {
    this.#wantAgain();
  }

  #wantAgain() {
    this.scheduler.changed();
    this.changed();
  }

  /** Computes all that is missing, also what was stopped or has failed. */
  run() {
    this.scheduler.resume();
    this.changed();
  }

  /** Stops every run; what is done stays. */
  stop() {
    this.benchmark.pause();
    this.scheduler.stop();
  }

  /** What a network is, with the files that came with it. One that is refused must not cost the one in use its worker. @param {import("../engine/client.js").Assets} assets @returns {Promise<NetworkInfo>} */
  async #read(assets) {
    const { fp32, reader } = this.engines;
    if (!this.library.network) return fp32.call("info", [], { assets });
    try {
      return await reader.call("info", [], { assets });
    } finally {
      if (!reader.busy) reader.stop();
    }
  }

  /** Uses a network from now on, or throws and stays with the one before. @param {NetworkFiles} files @param {() => boolean} [claim] asked once it was read, just before it is used: whether it still is to be */
  async setNetwork(files, claim = () => true) {
    const { reading } = this.settings;
    const { network, calibration, optimized } = asRead(files, reading);
    const info = await this.#read({ network, calibration: asset(calibration), optimized: asset(optimized) });
    if (!claim()) return;
    this.stop();
    await this.hold(async () => {
      const { library } = this;
      const before = library.info?.layers[this.focus.layer]?.name;
      const mixed = this.mixed.chosen;
      // What was learned of one that is kept is not lost.
      const kept = this.contenders.libraries.find((one) => one.info?.identity === info.identity);
      if (files !== this.#inUse?.files) this.library = kept ?? new Library(Boolean(files.calibration));
      this.library.take({ network, info, reading, calibration, optimized });
      this.#inUse = { files, reading };
      const known = info.layers.filter((/** @type {{quantized: boolean}} */ layer) => layer.quantized).map((/** @type {{name: string}} */ layer) => layer.name);
      const layerBits = Object.fromEntries(Object.entries(this.settings.values.layerBits).filter(([name]) => known.includes(name)));
      // What was made for the layers of one network is not for those of another.
      this.settings.set({ layerBits: this.mixed.layerBits(mixed) ?? (mixed ? {} : layerBits) });
      this.settings.forget();
      this.contenders.stay(library);
      this.focus.enter(before);
      this.samples.fit(this.cost());
    });
    this.#readAnew();
  }

  /** Reads a network that is not to be used, for what is kept. @param {NetworkFiles} files @param {import("./choices.js").Reading} [reading] */
  async readBeside(files, reading = this.settings.reading) {
    const { network, calibration, optimized } = asRead(files, reading);
    const info = await this.#read({ network, calibration: asset(calibration), optimized: asset(optimized) });
    const library = new Library(Boolean(files.calibration));
    library.take({ network, info, reading, calibration, optimized });
    return library;
  }

  /** Reads the network in use again for as long as it is to be read in another way; where that fails, the choice goes back. */
  async #readAnew() {
    if (this.#isReading) return;
    this.#isReading = true;
    try {
      while (this.#inUse && !same(this.#inUse.reading, this.settings.reading)) await this.#readAgain(this.#inUse);
    } finally {
      this.#isReading = false;
    }
  }

  /** @param {{files: NetworkFiles, reading: import("./choices.js").Reading}} used */
  async #readAgain(used) {
    const isCurrent = () => used === this.#inUse;
    try {
      await this.hold(() => this.setNetwork(used.files, isCurrent));
    } catch (error) {
      if (!isCurrent()) return;
      const { scope, engine } = used.reading;
      this.settings.set({ scope, engine });
      this.dispatchEvent(new CustomEvent("failed", { detail: error }));
    }
  }

  /** States properties of the network in use, whatever its file says. What was learned before was learned with others. @param {Record<string, string>} stated */
  async state(stated) {
    if (!this.#inUse) return;
    const { network } = this.#inUse.files;
    await this.setNetwork({ network: { ...network, stated } });
  }

  /** Computes nothing new while something comes. @template T @param {() => Promise<T>} work @returns {Promise<T>} */
  async hold(work) {
    this.loading++;
    this.changed();
    try {
      return await work();
    } finally {
      this.loading--;
      this.#wantAgain();
    }
  }

  /** Uses a calibration file that the user brought, and the settings that it was made with. @param {Uint8Array} file */
  async loadCalibration(file) {
    const info = await this.#ask({ calibration: { file } });
    const kept = this.library.keepCalibration({ source: "file", pictures: "" }, file, info);
    this.library.wanted = "file";
    this.settings.set({ points: kept.settings });
    this.#wantAgain();
  }

  /** Uses optimized layers that the user brought, and the recipe that they were made by. What DFSQ-opt shares with DFSQ must be as it is chosen. @param {Uint8Array} file */
  async loadOptimized(file) {
    const info = await this.#ask({ optimized: { file } });
    const { settings } = info.optimization;
    const { wordSets, granularity, mean } = this.settings.values.points;
    if (settings.wordSets !== wordSets || settings.granularity !== granularity || settings.mean !== mean) {
      throw new Error("its points were made with other settings than those chosen under Ablations");
    }
    const { recipe } = this.library.keepOptimized(file, info);
    this.settings.set({ optSelection: settings.selection ?? "exact", recipe });
    this.#wantAgain();
  }

  /** What a worker says of the network with other files. @param {{calibration?: {file: Uint8Array}, optimized?: {file: Uint8Array}}} files @returns {Promise<NetworkInfo>} */
  async #ask(files) {
    const { network } = this.library;
    if (!network) throw new Error("load its network first");
    const info = await this.#read({ network, ...files });
    // It is for the network that it was brought for.
    if (network !== this.library.network) throw cancelled();
    return info;
  }

  /** Decodes a file and looks at it. @param {string} name @param {Uint8Array} bytes @returns {Promise<import("../pkg/dfsq.js").Decoded>} */
  async addImage(name, bytes) {
    const picture = await this.engines.images.call("decodeImage", [bytes]);
    this.samples.add(name, bytes, picture, this.cost());
    this.#wantAgain();
    return picture;
  }

  /** @param {number} index */
  removeImage(index) {
    this.samples.remove(index);
    // A folder goes on.
    if (!this.samples.current) this.scheduler.endWishes();
    this.#wantAgain();
  }

  /** @param {number} from @param {number} to */
  moveImage(from, to) {
    this.samples.move(from, Math.max(0, Math.min(to, this.samples.list.length - 1)));
    this.changed();
  }

  /** @param {number} index */
  chooseSample(index) {
    this.samples.active = index;
    this.#wantAgain();
  }

  /** @param {Region} region */
  chooseRegion(region) {
    this.samples.chooseRegion(region, this.cost());
    this.scheduler.changing();
    this.changed();
  }

  /** Chooses points anew on these pictures, or goes back to those that came with the network. @param {import("./library.js").Source} source */
  calibrateOn(source) {
    this.library.wanted = source;
    this.run();
  }

  /** Whether the network came with points for the present settings that are not in use. */
  get canUseShipped() {
    const { library, settings, making } = this;
    return making.ground().source !== "shipped" && Boolean(library.calibration(settings.values.points, { source: "shipped", pictures: "" }));
  }

  /** The network that something is chosen for. @param {import("./chosen.js").Chosen} chosen */
  libraryOf({ library }) {
    return library ?? this.library;
  }

  /** What time and memory estimates of a network are made of. @returns {import("./plan.js").Cost} */
  cost({ info } = this.library) {
    const { convention, macsPerPixel = 1e6 } = info ?? {};
    const beside = this.contenders.libraries;
    const bytesPerPixel = Math.max(info?.bytesPerPixel ?? 5000, ...beside.map((one) => one.info?.bytesPerPixel ?? 0));
    return { mode: this.settings.values.mode, scale: convention?.scale ?? 2, size: convention?.size, macsPerPixel, bytesPerPixel, speed: this.speed, memory: workerMemory(NETWORK_METHODS.length + Math.min(beside.length, 1)) };
  }

  /** So many input pixels a second were computed in full precision. @param {number} pixels */
  measured(pixels) {
    this.speed = pixels * (this.library.info?.macsPerPixel ?? 0) || this.speed;
  }

  /** Bits of weights and activations of every layer. @param {import("./chosen.js").Chosen} [chosen] @returns {[number, number][]} */
  layerBits(chosen = this.settings.chosen) {
    return (this.libraryOf(chosen).info?.layers ?? []).map((layer) => (layer.quantized ? chosen.bitsOf(layer) : [32, 32]));
  }

  /** Whether a method can be had as it is chosen. @param {string} method @param {import("./chosen.js").Chosen} [chosen] */
  offers(method, chosen = this.settings.chosen) {
    return chosen.offers(method, this.layerBits(chosen));
  }

  /** @param {Sample} sample */
  inputKey(sample) {
    const { mode, scale } = this.cost();
    return inputKey(sample, mode, scale);
  }

  /** What goes into the network for a sample, and what its output is scored against. @param {Sample} sample */
  async pair(sample) {
    try {
      return await this.pairs.get(this.inputKey(sample), sample, this.cost());
    } catch (error) {
      // Of several images it must be said which.
      if (!(error instanceof EngineError) || isCancelled(error)) throw error;
      throw new EngineError(error.kind, `${sample.name}: ${error.message}`);
    }
  }
}

/** @param {Uint8Array | undefined} file */
const asset = (file) => file && { file };

/** What came with a network is for the layers that the paper quantizes, and for what its file says. @param {NetworkFiles} files @param {import("./choices.js").Reading} reading @returns {NetworkFiles} */
function asRead({ network, ...made }, { scope, engine }) {
  const stated = { ...network.stated, ...(scope === "paper" ? {} : { quantization_scope: scope }) };
  return { network: { ...network, stated, tract: engine === "tract" }, ...(Object.keys(stated).length ? {} : made) };
}
