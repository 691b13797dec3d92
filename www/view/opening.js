// Files that the user brings, by what they are.
import { fetchBytes } from "../engine/downloads.js";
import { once } from "../engine/once.js";
import { element } from "./dom.js";

/** @typedef {import("../model/bench.js").Bench} Bench */

export const SAMPLES = ["parrot", "lighthouse", "bikes"];

/** Files of the bundled samples, fetched once. @returns {Promise<Uint8Array[]>} */
export const sampleFiles = once(() => Promise.all(SAMPLES.map((name) => fetchBytes(`samples/${name}.png`))));

const LARGEST_FILE = 512 * 2 ** 20;

export class Opening {
  #bench;
  #errors;
  #status;
  /** What a file is, by its name, in the order in which they are taken: an image is meant for the network beside it. @type {{ending: RegExp, take: (file: File, bytes: Uint8Array) => Promise<void>}[]} */
  #kinds;

  /** @param {Bench} bench @param {import("./errors.js").Errors} errors @param {import("./status.js").Status} status @param {import("./network-picker.js").NetworkPicker} networks */
  constructor(bench, errors, status, networks) {
    this.#bench = bench;
    this.#errors = errors;
    this.#status = status;
    this.#kinds = [
      { ending: /\.onnx$/i, take: (file, bytes) => networks.bring(bytes, file.name) },
      { ending: /\.calibration$/i, take: (_, bytes) => bench.loadCalibration(bytes) },
      { ending: /\.optimized$/i, take: (_, bytes) => bench.loadOptimized(bytes) },
      { ending: /(?:)/, take: (file, bytes) => this.#addImage(file.name, bytes) },
    ];
    for (const id of ["network-file", "image-file"]) element(id).addEventListener("change", (/** @type {Event} */ event) => this.#chosen(event));
    element("samples").append(...SAMPLES.map((name) => this.#sampleButton(name)));
  }

  /** @param {Event} event */
  #chosen(event) {
    const input = /** @type {HTMLInputElement} */ (event.target);
    const files = [...(input.files ?? [])];
    // So that choosing the same file again is noticed.
    input.value = "";
    this.open(files);
  }

  /** @param {string} name */
  #sampleButton(name) {
    const button = document.createElement("button");
    button.type = "button";
    button.dataset.testid = `sample-${name}`;
    const image = Object.assign(new Image(96, 96), { src: `samples/${name}.png`, alt: "" });
    const label = document.createElement("span");
    label.textContent = name;
    button.append(image, label);
    button.onclick = () => this.openSample(name);
    return button;
  }

  /** @param {string} name @param {Uint8Array} bytes */
  async #addImage(name, bytes) {
    const { profile } = await this.#bench.addImage(name, bytes);
    if (profile) this.#errors.remark(`${name} has a colour profile (${profile}), which is not applied here: its numbers are taken for sRGB.`);
  }

  /** @param {string} name */
  async openSample(name) {
    try {
      await this.open([new File([/** @type {BlobPart} */ (await fetchBytes(`samples/${name}.png`))], `${name}.png`)]);
    } catch (error) {
      this.#errors.tell(error, name);
    }
  }

  /** Looks at a bundled sample, which may be open. @param {string} name */
  async showSample(name) {
    const index = this.#bench.samples.list.findIndex((sample) => sample.name === `${name}.png`);
    if (index < 0) await this.openSample(name);
    else this.#bench.chooseSample(index);
  }

  /** What is wrong with one file keeps no other from being opened. @param {Iterable<File>} files */
  async open(files) {
    this.#errors.clear();
    const rank = (/** @type {File} */ file) => this.#kinds.findIndex(({ ending }) => ending.test(file.name));
    const take = async (/** @type {File} */ file) => {
      try {
        if (file.size > LARGEST_FILE) throw new Error(`the file has ${(file.size / 2 ** 20).toFixed(0)} MB, more than 512`);
        this.#status.note(`Opening ${file.name}…`);
        await this.#kinds[rank(file)].take(file, new Uint8Array(await file.arrayBuffer()));
      } catch (error) {
        this.#errors.tell(error, file.name);
      } finally {
        this.#status.note("");
      }
    };
    // Only what is looked at in the end is worth beginning with.
    await this.#bench.hold(async () => {
      const whole = await this.#joined([...files]);
      for (const file of whole.sort((a, b) => rank(a) - rank(b))) await take(file);
    });
  }

  /** Networks with the weights that lie in files beside them, and the files that are none of these. What cannot be joined is told when the network is read. @param {File[]} files */
  async #joined(files) {
    const { images } = this.#bench.engines;
    const used = new Set();
    const bytesOf = async (/** @type {File} */ file) => new Uint8Array(await file.arrayBuffer());
    const join = async (/** @type {File} */ file) => {
      if (!/\.onnx$/i.test(file.name) || file.size > LARGEST_FILE) return file;
      const bytes = await bytesOf(file);
      const names = await images.call("secondFiles", [bytes]).catch(() => []);
      const beside = names.map((name) => files.find((other) => other.name === name.split(/[/\\]/).at(-1)));
      beside.forEach((other) => used.add(other));
      if (!names.length || beside.includes(undefined)) return file;
      const contents = await Promise.all(/** @type {File[]} */ (beside).map(bytesOf));
      return new File([await images.call("joinFiles", [bytes, names, contents])], file.name);
    };
    const joined = [];
    for (const file of files) joined.push(await join(file).catch(() => file));
    return joined.filter((_, at) => !used.has(files[at]));
  }
}
