// Owns the workers. No DOM.

/**
 * @typedef {{width: number, height: number, rgba: Uint8Array}} Picture
 * @typedef {{codes: number, points: number, scales: number, fullPrecision: number}} Bytes
 * @typedef {{weightBits: number, activationBits: number, macs: number}} OperandMacs
 * @typedef {{bytes: Bytes, macsPerPixel: OperandMacs[], bitOpsPerPixel: number, product: {shifts: number, additions: number} | null}} Costs
 * @typedef {{picture: Picture, layerDb: Float64Array, costs: Costs, seconds: number}} Upscaled
 * @typedef {{selection: string, points: number[], db: number | null, seconds: number | null}} Choice
 * @typedef {{universal: number, levels: number, subsets: number, choices: Choice[], boundDb: number}} Study
 * @typedef {{name: string, inputs: number, outputs: number, kernel: [number, number], groups: number, quantized: boolean}} Layer
 * @typedef {{scale: number, colour: string, range: number, assumed: string[]}} Convention
 * @typedef {{name?: string, sha256: string, convention: Convention, rule: string, layers: Layer[], parameters: number, macsPerPixel: number, calibratedWidths: number[], calibration: import("./settings.js").PointSettings | null, optimization: import("./settings.js").PointSettings, recipe: import("./settings.js").Recipe, optimizedBits: [number, number][][]}} NetworkInfo
 * @typedef {{bytes: Uint8Array, calibration?: Uint8Array, optimized?: Uint8Array, properties?: Record<string, string>}} Network a file, its calibration, and what it does not say of itself
 */

/** An error from a worker; `kind` is a stable word. */
export class EngineError extends Error {
  /** @param {string} kind @param {string} message */
  constructor(kind, message) {
    super(message);
    this.kind = kind;
  }
}

/** Errors after which the wasm instance cannot be trusted: panics and memory that ran out. */
const FATAL = ["RuntimeError", "RangeError", "InternalError"];

/** A worker that starts when it is first needed, and again after it was stopped. */
export class Engine {
  /** @param {Promise<WebAssembly.Module | undefined>} module the program, or nothing for an engine that only compiles it @param {() => Worker} [makeWorker] */
  constructor(module, makeWorker = () => new Worker(new URL("worker.js", import.meta.url), { type: "module" })) {
    this.module = module;
    this.makeWorker = makeWorker;
    /** @type {Worker | undefined} */
    this.worker = undefined;
    /** @type {Promise<unknown> | undefined} */
    this.ready = undefined;
    /** @type {Network | undefined} */
    this.network = undefined;
    /** Whether the worker has another network loaded than `network`. */
    this.outdated = false;
    /** Called whenever the worker, and all that it knew, is gone. */
    this.onStop = () => {};
    /** @type {Map<number, {resolve: Function, reject: Function, onProgress?: (done: number) => void}>} */
    this.pending = new Map();
    this.lastId = 0;
  }

  /** Uses this network from now on, or stays with the one before and throws. @param {Network} network @returns {Promise<NetworkInfo>} */
  async load(network) {
    if (!this.worker) this.#start();
    await this.ready;
    const info = await this.#send("load", [network]);
    this.network = network;
    this.outdated = false;
    return info;
  }

  /** Uses this network, which another engine has loaded already, from the next call on. @param {Network} network */
  use(network) {
    this.network = network;
    this.outdated = true;
  }

  /** Changes what is known of the network; a worker that has it already is told so by a call. @param {Partial<Network>} part @param {[method: string, args: unknown[]]} [call] */
  update(part, call) {
    if (this.network) this.network = { ...this.network, ...part };
    // One that does not have it gets everything when it next starts.
    const { worker } = this;
    if (call && worker && !this.outdated) this.ready?.then(() => this.#send(...call)).catch(() => this.worker === worker && this.stop());
  }

  /**
   * @param {string} method @param {unknown[]} args @param {(done: number) => void} [onProgress]
   * @returns {Promise<any>}
   */
  async call(method, args, onProgress) {
    if (this.outdated) this.stop();
    if (!this.worker) this.#start();
    await this.ready;
    return this.#send(method, args, onProgress);
  }

  /** Ends the worker; what it was doing is rejected. @param {EngineError} [reason] */
  stop(reason = new EngineError("cancelled", "cancelled")) {
    this.worker?.terminate();
    this.worker = undefined;
    this.onStop();
    const waiting = [...this.pending.values()];
    this.pending.clear();
    for (const { reject } of waiting) reject(reason);
  }

  get busy() {
    return this.pending.size > 0;
  }

  #start() {
    const worker = this.makeWorker();
    this.worker = worker;
    this.outdated = false;
    worker.onmessage = ({ data }) => this.#receive(data);
    worker.onerror = (event) => {
      event.preventDefault();
      this.stop(new EngineError("worker", event.message || "the worker could not be started"));
    };
    const ready = this.module
      .then((module) => {
        if (this.worker !== worker) throw new EngineError("cancelled", "cancelled");
        return module && this.#send("start", [module]);
      })
      .then(() => (this.network ? this.#send("load", [this.network]) : undefined));
    this.ready = ready;
    // A worker that did not get ready is given up, so that the next call tries again.
    ready.catch((error) => this.worker === worker && this.stop(error));
  }

  /** @param {string} method @param {unknown[]} args @param {(done: number) => void} [onProgress] @returns {Promise<any>} */
  #send(method, args, onProgress) {
    const id = ++this.lastId;
    return new Promise((resolve, reject) => {
      if (!this.worker) return reject(new EngineError("cancelled", "cancelled"));
      this.pending.set(id, { resolve, reject, onProgress });
      this.worker.postMessage({ id, method, args });
    });
  }

  /** @param {{id: number, result?: unknown, error?: {kind: string, message: string}, progress?: number}} message */
  #receive({ id, result, error, progress }) {
    const entry = this.pending.get(id);
    if (!entry) return;
    if (progress !== undefined) return entry.onProgress?.(progress);
    this.pending.delete(id);
    if (!error) return entry.resolve(result);
    const fatal = FATAL.includes(error.kind);
    const words = fatal ? "the computation broke down, most likely for want of memory; try a smaller region" : error.message;
    const failure = new EngineError(fatal ? "fatal" : error.kind, words);
    entry.reject(failure);
    if (fatal) this.stop(failure);
  }
}

/**
 * Fetches and compiles the wasm once for all workers. In a worker of its own: on the page's thread, taking in the
 * program's megabytes was its longest task (64 ms).
 * @returns {Promise<WebAssembly.Module>}
 */
export async function compile() {
  const compiler = new Engine(Promise.resolve(undefined));
  try {
    return await compiler.call("compile", [new URL("pkg/dfsq_bg.wasm", import.meta.url).href]);
  } finally {
    compiler.stop();
  }
}
