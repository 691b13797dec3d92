// Ready-made bits of single layers, under a budget: those that optimized layers came with or were made for. No DOM.
import { same } from "./same.js";

/** @typedef {import("./bench.js").Bench} Bench */

export class Mixed {
  #bench;

  /** @param {Bench} bench */
  constructor(bench) {
    this.#bench = bench;
  }

  /** Bits of layers that take as many operations as this width everywhere. @param {number | undefined} width @returns {Record<string, [number, number]> | undefined} */
  layerBits(width) {
    const { library } = this.#bench;
    const found = library.variants.find(({ mixed }) => typeof mixed === "number" && mixed === width);
    const layers = library.info?.layers ?? [];
    return found && Object.fromEntries(layers.flatMap(({ name, quantized }, i) => (quantized ? [[name, found.bits[i]]] : [])));
  }

  /** Whether there are some. */
  get known() {
    return this.#bench.library.variants.some(({ mixed }) => typeof mixed === "number");
  }

  /** The width whose ready-made bits are chosen. @returns {number | undefined} */
  get chosen() {
    const { weightBits, activationBits, layerBits } = this.#bench.settings.values;
    return weightBits === activationBits && same(layerBits, this.layerBits(weightBits)) ? weightBits : undefined;
  }

  /** Takes those of a width, or this width everywhere where there are none. @param {number} width */
  choose(width) {
    this.#bench.settings.set({ weightBits: width, activationBits: width, layerBits: this.layerBits(width) ?? {} });
  }
}
