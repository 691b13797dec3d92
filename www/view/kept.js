// Open images with their regions, and a folder with its results, kept in the browser until the next visit.
import { del, get, set } from "idb-keyval"; // IndexedDB in two functions; small, well kept

/** @typedef {import("../model/bench.js").Bench} Bench */

/** Most bytes of open images that are kept. */
const MOST_BYTES = 64e6;

/** Most bytes of a folder's images that are kept; they lie on the disk, and are read one by one. */
const MOST_FOLDER_BYTES = 1e9;

/** Milliseconds without another change after which what there is is kept. */
const REST = 500;

/** Forbidden in some private windows: the next visit begins with nothing then. */
const forbidden = () => undefined;

export class Kept {
  #bench;
  /** Whether what was kept has been taken over, so that it may be overwritten. */
  #taken = false;
  /** By name, what is kept now is made of. @type {Map<string, unknown[]>} */
  #parts = new Map();
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #soon;

  /** @param {Bench} bench */
  constructor(bench) {
    this.#bench = bench;
    addEventListener("beforeunload", (event) => {
      if (bench.benchmark.state === "running") event.preventDefault();
    });
  }

  /** Takes over what was kept; until then the page is not ready. */
  async take() {
    try {
      await this.#bench.hold(() => this.#restore());
    } finally {
      this.#taken = true;
      this.draw();
    }
  }

  async #restore() {
    const [folder, files, images, place] = await Promise.all(["folder", "files", "images", "place"].map((name) => get(name).catch(forbidden)));
    if (folder || files?.length) this.#bench.benchmark.restore(folder, files);
    if (images) await this.#open(images, place);
    this.#parts = new Map(this.#all().map(({ name, parts }) => [name, parts]));
  }

  /** @param {{name: string, file: Uint8Array}[]} images @param {{active: number, regions: import("../model/plan.js").Region[]} | undefined} place */
  async #open(images, place) {
    const { samples } = this.#bench;
    for (const [index, { name, file }] of images.entries()) {
      await this.#bench.addImage(name, file);
      const region = place?.regions[index];
      if (region) samples.chooseRegion(region, this.#bench.cost());
    }
    samples.active = Math.min(place?.active ?? 0, samples.list.length - 1);
  }

  draw() {
    if (!this.#taken) return;
    this.#soon ??= setTimeout(() => {
      this.#soon = undefined;
      this.#keepAll();
    }, REST);
  }

  /** All that is kept: by name what it is made of, and the thing itself. @returns {{name: string, parts: unknown[], make: () => unknown}[]} */
  #all() {
    const { benchmark, samples } = this.#bench;
    const { active, list } = samples;
    const kept = list.reduce((sum, { file }) => sum + file.length, 0) > MOST_BYTES ? [] : list;
    const regions = kept.map(({ chosen }) => chosen);
    const { files } = benchmark;
    const size = files.reduce((sum, { high, low }) => sum + high.size + (low?.size ?? 0), 0);
    // Files are large, and seldom change.
    return [
      { name: "images", parts: kept.map(({ file }) => file), make: () => kept.map(({ name, file }) => ({ name, file })) },
      { name: "place", parts: [active, ...regions], make: () => ({ active, regions }) },
      { name: "files", parts: files.flatMap(({ high, low }) => [high, low]), make: () => (size > MOST_FOLDER_BYTES ? [] : files) },
      { name: "folder", parts: [benchmark.images, benchmark.measuredImages, benchmark.done], make: () => benchmark.results },
    ];
  }

  /** Keeps what has changed. */
  #keepAll() {
    for (const { name, parts, make } of this.#all()) {
      const before = this.#parts.get(name);
      if (before?.length === parts.length && parts.every((part, index) => part === before[index])) continue;
      this.#parts.set(name, parts);
      // What does not fit must not leave another folder's files there.
      set(name, make()).catch(() => del(name).catch(forbidden));
    }
  }
}
