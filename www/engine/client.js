// A worker with a program, as something to call. No DOM.

/**
 * @typedef {import("../pkg/dfsq.js").NetworkInfo} NetworkInfo
 * @typedef {{bytes: Uint8Array, properties?: Record<string, string>, stated?: Record<string, string>, tract?: boolean}} NetworkFile a network, what its file does not say of itself, what is so whatever it says, and whether tract is to run it
 * @typedef {{file: Uint8Array}} MadeFile
 * @typedef {{network?: NetworkFile, calibration?: MadeFile, optimized?: MadeFile}} Assets what a worker must have for a call; told apart by identity
 * @typedef {{assets?: Assets, onProgress?: (done: number) => void}} CallOptions
 * @typedef {{postMessage: (message: unknown) => void, terminate: () => unknown, onmessage: any, onerror: any}} WorkerLike
 * @typedef {{make: () => WorkerLike | Promise<WorkerLike>, start?: Promise<[WebAssembly.Module | undefined]>}} Program how to make its worker, and what that starts with: a module, or the one that lies beside it; nothing for a worker that only compiles
 */

/** An error from a worker; `kind` is a stable word. */
export class EngineError extends Error {
  /** @param {string} kind @param {string} message */
  constructor(kind, message) {
    super(message);
    this.kind = kind;
  }
}

export const cancelled = () => new EngineError("cancelled", "cancelled");

/** @param {unknown} error */
export const isCancelled = (error) => error instanceof EngineError && error.kind === "cancelled";

/** What an error says where another program has what the network needs. */
const LACKING = "lacking";

/** Errors after which the wasm instance cannot be trusted: panics and memory that ran out. */
const FATAL = ["RuntimeError", "RangeError", "InternalError"];

/** One worker's life: what it has loaded, and what it has been asked. */
class Line {
  /** What the worker has, or will have when it comes to the next message. @type {Assets} */
  #has = {};
  /** @type {Map<number, {resolve: (value: any) => void, reject: (error: Error) => void, onProgress?: (done: number) => void}>} */
  #pending = new Map();
  #lastId = 0;
  /** Why it ended. @type {EngineError | undefined} */
  ended;
  /** @type {WorkerLike | undefined} */
  #worker;
  #onEnd;
  #onForget;
  #ready;

  /** @param {Program} program @param {(line: Line) => void} onEnd @param {() => void} onForget */
  constructor(program, onEnd, onForget) {
    this.#onEnd = onEnd;
    this.#onForget = onForget;
    this.#ready = this.#start(program);
    this.#ready.catch((error) => this.end(error));
  }

  /** @param {Program} program */
  async #start({ make, start }) {
    const worker = await make();
    if (this.ended) {
      worker.terminate();
      throw this.ended;
    }
    this.#worker = worker;
    worker.onmessage = (/** @type {MessageEvent} */ { data }) => this.#receive(data);
    worker.onerror = (/** @type {ErrorEvent} */ event) => {
      event.preventDefault();
      this.end(new EngineError("worker", event.message || "the worker could not be started"));
    };
    if (start) await this.#send("start", await start);
  }

  get busy() {
    return this.#pending.size > 0;
  }

  /** @param {string} method @param {unknown[]} args @param {CallOptions} options @returns {Promise<any>} */
  async call(method, args, { assets = {}, onProgress }) {
    await this.#ready;
    // Messages are worked off in order, so what the call needs goes ahead of it. What could not be loaded fails the call.
    const loads = this.#bring(assets);
    const results = await Promise.all([...loads, this.#send(method, args, onProgress)]);
    return results.at(-1);
  }

  /** Sends what the worker does not have yet. @param {Assets} assets */
  #bring(assets) {
    const sent = [];
    const has = assets.network && assets.network !== this.#has.network ? {} : this.#has;
    if (assets.network && has !== this.#has) {
      sent.push(this.#send("load", [assets.network]));
      this.#onForget();
    }
    for (const [name, verb] of /** @type {const} */ ([["calibration", "loadCalibration"], ["optimized", "loadOptimized"]])) {
      const asset = assets[name];
      if (asset && asset !== has[name]) sent.push(this.#send(verb, [asset.file]));
    }
    const given = Object.fromEntries(Object.entries(assets).filter(([, asset]) => asset));
    this.#has = { ...has, ...given };
    for (const promise of sent) {
      // Which of them arrived is not known then.
      promise.catch(() => (this.#has = {}));
    }
    return sent;
  }

  /** Ends the worker; what it was doing is rejected, and so is what it is asked from now on. @param {EngineError} reason */
  end(reason) {
    if (this.ended) return;
    this.ended = reason;
    this.#worker?.terminate();
    const waiting = [...this.#pending.values()];
    this.#pending.clear();
    for (const { reject } of waiting) reject(reason);
    this.#onEnd(this);
  }

  /** @param {string} method @param {unknown[]} args @param {(done: number) => void} [onProgress] @returns {Promise<any>} */
  #send(method, args, onProgress) {
    return new Promise((resolve, reject) => {
      if (this.ended) return reject(this.ended);
      const id = ++this.#lastId;
      this.#pending.set(id, { resolve, reject, onProgress });
      this.#worker?.postMessage({ id, method, args });
    });
  }

  /** @param {{id: number, result?: unknown, error?: {kind: string, message: string, lastWords?: string}, progress?: number}} message */
  #receive({ id, result, error, progress }) {
    const entry = this.#pending.get(id);
    if (!entry) return;
    if (progress !== undefined) return entry.onProgress?.(progress);
    this.#pending.delete(id);
    if (!error) return entry.resolve(result);
    const fatal = FATAL.includes(error.kind);
    const cause = error.lastWords ? `: ${error.lastWords}` : ", most likely for want of memory; try a smaller region";
    const words = fatal ? `the computation broke down${cause}` : error.message;
    const failure = new EngineError(fatal ? "fatal" : error.kind, words);
    entry.reject(failure);
    if (fatal || error.kind === LACKING) this.end(failure);
  }
}

/** A worker that starts when it is first needed, and again after it was stopped. */
export class Engine {
  /** @type {Line | undefined} */
  #line;
  #programs;
  #chosen = 0;
  /** Called whenever what the worker knew beside its assets is gone: it was stopped, or got another network. */
  onForget = () => {};

  /** @param {(() => Program)[]} programs the first is used until a network needs the next */
  constructor(programs) {
    this.#programs = programs;
  }

  /**
   * Calls a verb of the worker (worker.js), of the wasm package, or of its session, which first gets the assets that it does not have.
   * @template {keyof import("./verbs.d.ts").Verbs} M
   * @param {M} method @param {import("./verbs.d.ts").Taken<M>} [args] @param {CallOptions} [options] @returns {Promise<import("./verbs.d.ts").Given<M>>}
   */
  async call(method, args = /** @type {any} */ ([]), options = {}) {
    const chosen = this.#chosen;
    const ended = (/** @type {Line} */ line) => {
      if (this.#line === line) this.#line = undefined;
      this.onForget();
    };
    this.#line ??= new Line(this.#programs[chosen](), ended, () => this.onForget());
    try {
      return await this.#line.call(String(method), args, options);
    } catch (error) {
      if (!(error instanceof EngineError) || error.kind !== LACKING || chosen + 1 === this.#programs.length) throw error;
      this.#chosen = Math.max(this.#chosen, chosen + 1);
      return this.call(method, args, options);
    }
  }

  /** Ends the worker; what it was doing is rejected. */
  stop(reason = cancelled()) {
    this.#line?.end(reason);
  }

  get busy() {
    return this.#line?.busy ?? false;
  }
}
