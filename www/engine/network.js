// A network in a worker: what the npm package `dfsq` offers. No DOM.
import { Engine, EngineError } from "./client.js";

/**
 * @typedef {import("../pkg/dfsq.js").Options} Options
 * @typedef {import("../pkg/dfsq.js").Picture} Picture
 * @typedef {import("../pkg/dfsq.js").Score} Score
 * @typedef {{width: number, height: number, data: Uint8Array | Uint8ClampedArray}} Image four bytes a pixel, as ImageData has them: red, green, blue, alpha
 * @typedef {Blob | Image} ImageSource a PNG, JPEG or WebP file, or pixels
 * @typedef {Uint8Array | ArrayBuffer | Blob | URL | string} FileSource contents, or the address to fetch them from
 * @typedef {{signal?: AbortSignal, onProgress?: (done: number) => void}} Watching how to stop it, and what is told how much is done, in 0..1
 * @typedef {Partial<Options> & Watching & {reference?: ImageSource}} UpscaleOptions bits are 2 to 8, or 32 for full precision; `reference` is what the image is to become, for scores
 * @typedef {Omit<import("../pkg/dfsq.js").Upscaled, "picture"> & {image: ImageData}} Upscaled as the program gives it; in Node, the image is an object like an ImageData
 * @typedef {object} LoadOptions
 * @property {FileSource} [calibration] points for DFSQ and static ranges, as `dfsq calibrate` and `Network.calibrate` make them
 * @property {FileSource} [optimized] layers for DFSQ-opt, as `dfsq optimize` and `Network.optimize` make them
 * @property {Record<string, string>} [properties] what the network's file does not say of itself, such as `input_range`
 * @property {Record<string, string>} [stated] what is so whatever the file says
 * @property {AbortSignal} [signal]
 */

/** A network that was loaded. What is asked of it is done in the order in which it was asked. */
export class Network {
  /** What runs networks: the first, until a network needs the next. @type {(() => import("./client.js").Program)[]} */
  static programs = [];

  #engine;
  /** @type {import("./client.js").Assets & {network: import("./client.js").NetworkFile}} */
  #assets;
  /** @type {Promise<unknown>} */
  #last = Promise.resolve();
  #disposed = false;
  /** Facts about the network and what was learned of it. @type {import("../pkg/dfsq.js").NetworkInfo} */
  info;

  /** @param {Engine} engine @param {import("./client.js").Assets & {network: import("./client.js").NetworkFile}} assets @param {import("../pkg/dfsq.js").NetworkInfo} info */
  constructor(engine, assets, info) {
    this.#engine = engine;
    this.#assets = assets;
    this.info = info;
  }

  /** Fetches an address. @param {URL | string} address @param {AbortSignal} [signal] @returns {Promise<Response>} */
  static fetch(address, signal) {
    return fetch(address, { signal });
  }

  /** Reads an ONNX network in a worker of its own. @param {FileSource} onnx @param {LoadOptions} [options] @returns {Promise<Network>} */
  static async load(onnx, { calibration, optimized, properties, stated, signal } = {}) {
    const read = async (/** @type {FileSource | undefined} */ source) => (source === undefined ? undefined : { file: await bytesOf(source, this.fetch, signal) });
    const [bytes, ...learned] = await Promise.all([bytesOf(onnx, this.fetch, signal), read(calibration), read(optimized)]);
    const assets = { network: { bytes, properties, stated }, calibration: learned[0], optimized: learned[1] };
    const engine = new Engine(this.programs);
    try {
      return new this(engine, assets, await stoppable(engine, signal, () => engine.call("info", [], { assets })));
    } catch (error) {
      engine.stop();
      throw error;
    }
  }

  /** Enlarges an image. @param {ImageSource} image @param {UpscaleOptions} [options] @returns {Promise<Upscaled>} */
  async upscale(image, { reference, signal, onProgress, ...options } = {}) {
    return this.#turn(signal, async () => {
      const low = await this.#picture(image, signal);
      const high = reference && (await this.#picture(reference, signal));
      return shown(await this.#call("upscale", [low, high, options], { signal, onProgress }));
    });
  }

  /**
   * Enlarges an image in several ways, and gives each with its options once it is done.
   * @param {ImageSource} image @param {Partial<Options>[]} ways @param {Watching & {reference?: ImageSource}} [options]
   * @returns {AsyncGenerator<Upscaled & {options: Partial<Options>}, void, void>}
   */
  async *compare(image, ways, { reference, signal, onProgress } = {}) {
    const [low, high] = await this.#turn(signal, async () => [await this.#picture(image, signal), reference && (await this.#picture(reference, signal))]);
    for (const [i, options] of ways.entries()) {
      const progress = (/** @type {number} */ done) => onProgress?.((i + done) / ways.length);
      const run = () => this.#call("upscale", [/** @type {Picture} */ (low), high, options], { signal, onProgress: progress });
      yield { ...shown(await this.#turn(signal, run)), options };
    }
  }

  /**
   * The network as these options quantize it, as an ONNX file that other runtimes run. With `integer` they compute in integers: min-max with
   * static ranges and 8 bits of activations; `integer` are images like those that are to come, on which it is measured what convolutions give.
   * @param {Partial<Options> & Watching & {integer?: ImageSource[]}} [options]
   */
  async export({ integer, signal, onProgress, ...options } = {}) {
    return this.#turn(signal, async () => {
      const { bytes } = this.#assets.network;
      if (!integer) return this.#call("exportOnnx", [bytes, options], { signal, onProgress });
      return this.#call("exportInteger", [bytes, options, await this.#pictures(integer, signal)], { signal, onProgress });
    });
  }

  /**
   * Chooses points for these bits on images like those that are to come, and uses them from now on. Gives the file to load next time.
   * @param {ImageSource[]} images @param {{widths: number[], points?: Partial<import("../pkg/dfsq.js").PointSettings>} & Watching} options
   */
  async calibrate(images, { widths, points = {}, signal, onProgress }) {
    return this.#turn(signal, async () => {
      const pictures = await this.#pictures(images, signal);
      return this.#learned("calibration", await this.#call("calibrate", [pictures, points, widths], { signal, onProgress }));
    });
  }

  /**
   * Optimizes layers for the bits of `options` on images of one size, and uses them from now on. Gives the file to load next time.
   * @param {ImageSource[]} images
   * @param {Partial<Options> & {points?: Partial<import("../pkg/dfsq.js").PointSettings>, recipe?: Partial<import("../pkg/dfsq.js").Recipe>} & Watching} options
   */
  async optimize(images, { points, recipe = {}, signal, onProgress, ...options }) {
    return this.#turn(signal, async () => {
      const pictures = await this.#pictures(images, signal);
      const { optimalPoints } = await this.#call("defaults", [], { signal });
      const settings = { ...optimalPoints, ...points };
      return this.#learned("optimized", await this.#call("optimize", [pictures, options, settings, recipe], { signal, onProgress }));
    });
  }

  /** An image as a PNG file. @param {Image} image @param {{comment?: string} & Watching} [options] */
  async png(image, { comment = "", signal } = {}) {
    const bytes = await this.#turn(signal, () => this.#call("encodePng", [pictureOf(image), comment], { signal }));
    return new Blob([bytes], { type: "image/png" });
  }

  /** Ends the worker, and whatever it does. */
  dispose() {
    this.#disposed = true;
    this.#engine.stop(disposed());
  }

  /** @param {"calibration" | "optimized"} kind @param {import("../pkg/dfsq.js").Made} made */
  #learned(kind, { file, info }) {
    this.#assets = { ...this.#assets, [kind]: { file } };
    this.info = info;
    return file;
  }

  /** @param {ImageSource} source @param {AbortSignal} [signal] @returns {Promise<Picture>} */
  async #picture(source, signal) {
    if (!(source instanceof Blob)) return pictureOf(source);
    return this.#call("decodeImage", [new Uint8Array(await source.arrayBuffer())], { signal });
  }

  /** @param {ImageSource[]} sources @param {AbortSignal} [signal] */
  #pictures(sources, signal) {
    return Promise.all(sources.map((source) => this.#picture(source, signal)));
  }

  /** Does all of something once what was asked before is done. @template T @param {AbortSignal | undefined} signal @param {() => Promise<T>} work @returns {Promise<T>} */
  #turn(signal, work) {
    const turn = this.#last.then(() => {
      if (this.#disposed) throw disposed();
      signal?.throwIfAborted();
      return work();
    });
    this.#last = turn.catch(() => {});
    return orAborted(turn, signal);
  }

  /**
   * @template {keyof import("./verbs.d.ts").Verbs} M
   * @param {M} method @param {import("./verbs.d.ts").Taken<M>} args @param {Watching} watching @returns {Promise<import("./verbs.d.ts").Given<M>>}
   */
  #call(method, args, { signal, onProgress }) {
    return stoppable(this.#engine, signal, () => this.#engine.call(method, args, { assets: this.#assets, onProgress }));
  }
}

const disposed = () => new EngineError("disposed", "the network was disposed of");

/** What a call gives, which ends the worker where it is to be stopped: nothing else runs there. @template T @param {Engine} engine @param {AbortSignal | undefined} signal @param {() => Promise<T>} call */
async function stoppable(engine, signal, call) {
  signal?.throwIfAborted();
  const stop = () => engine.stop();
  signal?.addEventListener("abort", stop);
  try {
    return await orAborted(call(), signal);
  } finally {
    signal?.removeEventListener("abort", stop);
  }
}

/** Why it was aborted, as soon as it is. @template T @param {Promise<T>} promise @param {AbortSignal} [signal] @returns {Promise<T>} */
function orAborted(promise, signal) {
  if (!signal) return promise;
  return new Promise((resolve, reject) => {
    const abort = () => reject(signal.reason);
    if (signal.aborted) abort();
    signal.addEventListener("abort", abort);
    promise.then(resolve, reject).finally(() => signal.removeEventListener("abort", abort));
  });
}

/** @param {FileSource} source @param {typeof Network.fetch} fetch @param {AbortSignal} [signal] @returns {Promise<Uint8Array>} */
async function bytesOf(source, fetch, signal) {
  if (source instanceof Uint8Array) return source;
  if (source instanceof ArrayBuffer) return new Uint8Array(source);
  if (source instanceof Blob) return new Uint8Array(await source.arrayBuffer());
  try {
    const response = await fetch(source, signal);
    if (!response.ok) throw new Error(`status ${response.status}`);
    return new Uint8Array(await response.arrayBuffer());
  } catch (error) {
    signal?.throwIfAborted();
    throw new EngineError("fetch", `${source} could not be fetched: ${error instanceof Error ? error.message : error}`);
  }
}

/** @param {Image} image @returns {Picture} */
function pictureOf({ width, height, data }) {
  return { width, height, rgba: new Uint8Array(data.buffer, data.byteOffset, data.byteLength) };
}

/** @param {Picture} picture @returns {ImageData} */
function imageOf({ width, height, rgba }) {
  const data = new Uint8ClampedArray(/** @type {ArrayBuffer} */ (rgba.buffer), rgba.byteOffset, rgba.byteLength);
  return globalThis.ImageData ? new ImageData(data, width, height) : /** @type {ImageData} */ ({ width, height, data });
}

/** @param {import("../pkg/dfsq.js").Upscaled} result @returns {Upscaled} */
function shown({ picture, ...rest }) {
  return { ...rest, image: imageOf(picture) };
}
