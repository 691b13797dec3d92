// Open images with their regions, and a folder's results, kept in the browser until the next visit.
import { get, set } from "idb-keyval"; // IndexedDB in two functions; small, well kept

/** @typedef {import("../model/bench.js").Bench} Bench */

/** Most bytes of image files that are kept. */
const MOST_BYTES = 64e6;

/** Milliseconds without another change after which what there is is kept. */
const REST = 500;

/** Forbidden in some private windows: the next visit begins with nothing then. */
const forbidden = () => undefined;

export class Kept {
  #bench;
  /** Whether what was kept has been taken over, so that it may be overwritten. */
  #taken = false;
  /** What is kept now. @type {unknown[]} */
  #now = [];
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #soon;

  /** @param {Bench} bench */
  constructor(bench) {
    this.#bench = bench;
    addEventListener("beforeunload", (event) => {
      // Results are kept, but files of a folder are not.
      if (bench.benchmark.state === "running") event.preventDefault();
    });
  }

  /** Takes over what was kept. @param {boolean} images whether the images too */
  async take(images) {
    const { benchmark, library } = this.#bench;
    const folder = await get("folder").catch(forbidden);
    if (folder && !benchmark.images.length) benchmark.restore(folder);
    const kept = images && library.info ? await get("images").catch(forbidden) : undefined;
    if (kept) await this.#bench.hold(() => this.#open(kept)).catch(forbidden);
    this.#taken = true;
    this.draw();
  }

  /** @param {{list: {name: string, file: Uint8Array, chosen: import("../model/plan.js").Region}[], active: number}} kept */
  async #open({ list, active }) {
    const { samples } = this.#bench;
    for (const { name, file, chosen } of list) {
      await this.#bench.addImage(name, file);
      samples.chooseRegion(chosen, this.#bench.cost());
    }
    samples.active = active;
  }

  draw() {
    if (!this.#taken) return;
    this.#soon ??= setTimeout(() => {
      this.#soon = undefined;
      this.#keep();
    }, REST);
  }

  #keep() {
    const { benchmark, samples } = this.#bench;
    const regions = samples.list.map(({ chosen }) => chosen);
    const now = [samples.active, ...samples.list.map(({ file }) => file), ...regions, benchmark.state, benchmark.measuredImages, benchmark.images];
    if (now.length === this.#now.length && now.every((one, index) => one === this.#now[index])) return;
    this.#now = now;
    const bytes = samples.list.reduce((sum, { file }) => sum + file.length, 0);
    const list = bytes > MOST_BYTES ? [] : samples.list.map(({ name, file, chosen }) => ({ name, file, chosen }));
    set("images", { list, active: list.length ? samples.active : 0 }).catch(forbidden);
    set("folder", benchmark.results).catch(forbidden);
  }
}
