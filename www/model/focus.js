// Which layer and channel are looked at closely, and with which method. No DOM.
import { QUANTIZED_METHODS } from "./plan.js";

/** @typedef {import("./bench.js").Bench} Bench */

export class Focus {
  /** Index among the network's layers. */
  layer = 0;
  channel = 0;
  /** @type {NonNullable<import("../pkg/dfsq.js").Options["method"]>} */
  method = "dfsq";
  /** Points of the channel that the user moved, on the normalized axis; nothing for the method's own. @type {number[] | undefined} */
  points = undefined;
  #bench;

  /** @param {Bench} bench */
  constructor(bench) {
    this.#bench = bench;
  }

  /** The layers that can be looked at: indices of those that are quantized. @returns {number[]} */
  get layers() {
    return (this.#bench.library.info?.layers ?? []).flatMap((layer, index) => (layer.quantized ? [index] : []));
  }

  /** Number of channels of the layer. */
  get channels() {
    return this.#bench.library.info?.layers[this.layer]?.inputs ?? 0;
  }

  /** Looks at something else; what is not there is replaced by what is nearest. @param {{layer?: number, channel?: number, method?: string}} part */
  set(part) {
    const before = JSON.stringify(this);
    const { layers } = this;
    const { layer = this.layer, channel = this.channel, method = this.method } = part;
    if (!Number.isInteger(layer) || !Number.isInteger(channel)) return;
    Object.assign(this, { layer, channel, method });
    if (!layers.includes(this.layer)) this.layer = layers.find((layer) => layer > this.layer) ?? layers.at(-1) ?? 0;
    this.channel = Math.max(0, Math.min(this.channel, this.channels - 1));
    if (!QUANTIZED_METHODS.includes(this.method)) this.method = "dfsq";
    if (JSON.stringify(this) === before) return;
    this.points = undefined;
    this.#bench.changed();
  }

  /** Comes to another network: to the layer of the same name, or else the first. @param {string | undefined} name */
  enter(name) {
    const { layers } = this.#bench.library.info ?? { layers: [] };
    this.points = undefined;
    this.set({ layer: Math.max(0, layers.findIndex((layer) => layer.name === name && layer.quantized)), channel: this.channel });
  }

  /** Moves the channel's points, or goes back to the method's own. @param {number[] | undefined} points */
  movePoints(points) {
    this.points = points;
    this.#bench.changed();
  }

  /** What the methods do to one layer of the current sample. @param {string} method @returns {{inputs: number | undefined, weights: number | undefined, channels: Float64Array | undefined}} */
  noise(method, layer = this.layer) {
    const result = this.#bench.scheduler.result(method);
    return { inputs: result?.layerDb?.[layer], weights: result?.weightDb?.[layer], channels: result?.channelDb?.[layer] };
  }

  /** Whether the layer is left in full precision. */
  get isFull() {
    return this.#bench.layerBits()[this.layer]?.every((width) => width === 32) ?? false;
  }

  /** Leaves the layer in full precision, or quantizes it again as the others are. */
  toggleFull() {
    const { library, settings } = this.#bench;
    const name = library.info?.layers[this.layer]?.name;
    if (!name) return;
    const { [name]: own, ...others } = settings.values.layerBits;
    settings.set({ layerBits: this.isFull && own ? others : { ...others, [name]: [32, 32] } });
  }
}
