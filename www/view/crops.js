// The same small part of all pictures side by side, as papers show it, to look at and to save.
import { METHOD_NAMES } from "../model/plan.js";
import { cut } from "../model/picture.js";
import { provenance } from "../model/provenance.js";
import { paint } from "./comparison.js";
import { element } from "./dom.js";
import { pngAddress } from "./png.js";
import { decimal } from "./score-table.js";

/**
 * @typedef {import("../model/bench.js").Bench} Bench
 * @typedef {import("../pkg/dfsq.js").Picture} Picture
 * @typedef {{name: string, score: string, picture: Picture}} Crop
 */

/** Least side of an enlarged crop, in pixels. */
const SHOWN = 240;
const GAP = 12;
/** What the words below take. */
const WORDS = 52;
const FONT = "system-ui, sans-serif";

export class Crops {
  #bench;
  /** Where, in 0..1 of the pictures. @type {{x: number, y: number} | undefined} */
  #place;
  /** @type {Crop[]} */
  #shown = [];

  /** @param {Bench} bench @param {import("./compare-view.js").CompareView} view @param {(name: string, content: BlobPart, type: string) => void} save @param {(error: unknown) => void} failed */
  constructor(bench, view, save, failed) {
    this.#bench = bench;
    view.addEventListener("pick", (event) => this.#choose(/** @type {CustomEvent} */ (event).detail));
    element("crop-side").addEventListener("change", () => this.draw());
    element("close-crops").onclick = () => this.#choose(undefined);
    const name = () => (bench.samples.current?.name ?? "dfsq").replace(/\.[^.]*$/, "");
    element("crops-svg").onclick = () => this.#svg().then((text) => save(`${name()}-crops.svg`, text, "image/svg+xml"), failed);
    element("crops-png").onclick = () => {
      const png = bench.engines.images.call("encodePng", [this.#drawing(), JSON.stringify(this.#made())]);
      png.then((bytes) => save(`${name()}-crops.png`, bytes, "image/png"), failed);
    };
  }

  /** What the canvas shows, but the pictures from their own numbers: some browsers alter what is read back. @returns {Picture} */
  #drawing() {
    const canvas = element("crops-canvas");
    const { width, height } = canvas;
    const rgba = new Uint8Array(canvas.getContext("2d").getImageData(0, 0, width, height).data.buffer);
    const { zoom, side } = this.#size;
    const pixels = new Uint32Array(rgba.buffer);
    for (const [index, { picture }] of this.#shown.entries()) {
      const own = new Uint32Array(picture.rgba.slice().buffer);
      for (let y = 0; y < side; y++) {
        for (let x = 0; x < side; x++) pixels[y * width + index * (side + GAP) + x] = own[Math.floor(y / zoom) * picture.width + Math.floor(x / zoom)];
      }
    }
    return { width, height, rgba };
  }

  /** @param {{x: number, y: number} | undefined} place */
  #choose(place) {
    this.#place = place;
    this.draw();
  }

  /** The part of a picture that is looked at; near an edge what is there. @param {Picture} picture */
  #part(picture) {
    const side = Math.min(Number(element("crop-side").value), picture.width, picture.height);
    const { x, y } = this.#place ?? { x: 0.5, y: 0.5 };
    const start = (/** @type {number} */ share, /** @type {number} */ length) => Math.max(0, Math.min(Math.round(share * length - side / 2), length - side));
    return cut(picture, { x: start(x, picture.width), y: start(y, picture.height), width: side, height: side });
  }

  #made() {
    return { place: this.#place, side: this.#shown[0]?.picture.width, crops: this.#shown.map(({ name, score }) => ({ name, score })), ...provenance(this.#bench) };
  }

  draw() {
    const { samples, scheduler } = this.#bench;
    element("crops").hidden = !this.#place || !samples.current;
    if (element("crops").hidden) return;
    this.#shown = Object.entries(METHOD_NAMES).flatMap(([method, name]) => {
      const picture = scheduler.result(method)?.picture;
      const score = scheduler.score(method);
      return picture ? [{ name, picture: this.#part(picture), score: score ? `${decimal(score.psnrY, 2)} dB / ${decimal(score.ssimY, 4)}` : "PSNR / SSIM" }] : [];
    });
    this.#paint();
  }

  /** How large everything is. @returns {{zoom: number, side: number, width: number, height: number}} */
  get #size() {
    const { width } = this.#shown[0]?.picture ?? { width: 1 };
    const zoom = Math.ceil(SHOWN / width);
    const side = zoom * width;
    return { zoom, side, width: this.#shown.length * (side + GAP) - GAP, height: side + WORDS };
  }

  #paint() {
    const canvas = /** @type {HTMLCanvasElement} */ (element("crops-canvas"));
    const { side, width, height } = this.#size;
    Object.assign(canvas, { width: Math.max(width, 1), height });
    const context = canvas.getContext("2d");
    if (!context) return;
    // On white, as papers are.
    context.fillStyle = "#fff";
    context.fillRect(0, 0, canvas.width, height);
    context.imageSmoothingEnabled = false;
    context.fillStyle = "#222";
    context.textAlign = "center";
    for (const [index, { name, score, picture }] of this.#shown.entries()) {
      const left = index * (side + GAP);
      context.drawImage(paint(picture), left, 0, side, side);
      context.font = `600 17px ${FONT}`;
      context.fillText(name, left + side / 2, side + 21);
      context.font = `15px ${FONT}`;
      context.fillText(score, left + side / 2, side + 43);
    }
    canvas.ariaLabel = this.#shown.map(({ name, score }) => `${name} ${score}`).join(", ");
  }

  async #svg() {
    const { side, width, height } = this.#size;
    const [shown, made] = [this.#shown, JSON.stringify(this.#made())];
    const addresses = await Promise.all(shown.map(({ picture }) => pngAddress(this.#bench.engines.images, picture)));
    const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
    const add = (/** @type {string} */ name, /** @type {Record<string, string | number>} */ attributes, text = "") => {
      const part = document.createElementNS("http://www.w3.org/2000/svg", name);
      for (const [key, value] of Object.entries(attributes)) part.setAttribute(key, String(value));
      part.textContent = text;
      svg.append(part);
      return part;
    };
    for (const [key, value] of Object.entries({ width, height, viewBox: `0 0 ${width} ${height}` })) svg.setAttribute(key, String(value));
    add("desc", {}, made);
    for (const [index, { name, score }] of shown.entries()) {
      const left = index * (side + GAP);
      const image = add("image", { href: addresses[index], x: left, y: 0, width: side, height: side });
      /** @type {SVGElement} */ (image).style.imageRendering = "pixelated";
      const words = { x: left + side / 2, "text-anchor": "middle", "font-family": FONT, fill: "#222" };
      add("text", { ...words, y: side + 21, "font-size": 17, "font-weight": 600 }, name);
      add("text", { ...words, y: side + 43, "font-size": 15 }, score);
    }
    return new XMLSerializer().serializeToString(svg);
  }
}
