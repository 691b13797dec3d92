// Which calibration of the present network is in use, and those made before. No DOM, no workers.

/**
 * @typedef {import("./settings.js").PointSettings} PointSettings
 * @typedef {import("./plan.js").Region} Region
 * @typedef {"shipped" | "image" | "images" | "patches" | "file"} Source what a calibration was made on
 * @typedef {{mode: string, regions: Region[], active: number, widths: number[]}} Ground what it may depend on beside its settings
 */

/** Names the pictures that a calibration is made on. @param {Source} source @param {Ground} [ground] */
export function pictures(source, ground) {
  if (source === "image") return JSON.stringify([source, ground?.mode, ground?.active, ground?.regions[ground.active]]);
  return JSON.stringify(source === "images" ? [source, ground?.mode, ground?.regions] : [source]);
}

export class Calibrations {
  /** What the one in use was made on. @type {Source} */
  source = "shipped";
  /** The one in use: 0 is that which came with the network. */
  id = 0;
  /** Where the user said what to calibrate on. @type {Source | undefined} */
  wanted = undefined;
  #last = 0;
  /** @type {Map<string, {id: number, file: Uint8Array}>} */
  #files = new Map();

  /** Forgets everything for another network. @param {Uint8Array | undefined} file that came with it @param {PointSettings | null} settings it was made with */
  reset(file, settings) {
    this.#files.clear();
    this.id = 0;
    this.source = file ? "shipped" : "image";
    this.wanted = undefined;
    if (file && settings) this.#files.set(key("shipped", settings), { id: 0, file });
  }

  /** One that was made or brought is now in use. @param {Source} source @param {PointSettings} settings @param {Ground} ground @param {Uint8Array} file */
  use(source, settings, ground, file) {
    const known = this.#files.get(key(source, settings, ground));
    this.source = source;
    this.id = known?.file === file ? known.id : ++this.#last;
    this.#files.set(key(source, settings, ground), { id: this.id, file });
  }

  /** One that was made before. @param {Source} source @param {PointSettings} settings @param {Ground} ground */
  find(source, settings, ground) {
    return this.#files.get(key(source, settings, ground))?.file;
  }

  /** What one with these settings is to be made on, if it has not come with the network. @param {PointSettings} settings @param {Ground} ground @returns {Source} */
  sourceFor(settings, ground) {
    // A file that was brought or shipped has settings of its own.
    const isFile = this.wanted === "file" || this.wanted === "shipped";
    if (this.wanted && (!isFile || this.find(this.wanted, settings, ground))) return this.wanted;
    if (this.find("shipped", settings, ground)) return "shipped";
    return this.source === "image" ? "image" : "patches";
  }
}

/** @param {Source} source @param {PointSettings} settings @param {Ground} [ground] */
function key(source, settings, ground) {
  const widths = settings.selection === "exhaustive" ? ground?.widths : undefined;
  return JSON.stringify([pictures(source, ground), Object.entries(settings).sort(), widths]);
}
