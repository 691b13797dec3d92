// The same small part of all pictures side by side, as papers show it, to look at and to save.
import { cut } from "../model/picture.js";
import { provenance } from "../model/provenance.js";
import { paint } from "./comparison.js";
import { element, say } from "./dom.js";
import { pngAddress } from "./png.js";
import { decimal } from "./score-table.js";

/**
 * @typedef {import("../model/bench.js").Bench} Bench
 * @typedef {import("../pkg/dfsq.js").Picture} Picture
 * @typedef {{name: string, network: string | undefined, score: string, picture: Picture}} Crop
 */

/** Least side of an enlarged crop, in pixels. */
const SHOWN = 240;
const GAP = 12;
/** What the words below take. */
const WORDS = 52;
const FONT = "system-ui, sans-serif";

export class Crops {
  #bench;
  #view;
  #places;
  /** @type {Crop[]} */
  #shown = [];
  #methods = /** @type {HTMLElement} */ (document.querySelector("#crop-methods fieldset"));
  /** Contenders that are left out. @type {Set<string>} */
  #hidden = new Set();

  /** @param {Bench} bench @param {import("./compare-view.js").CompareView} view @param {(name: string, content: BlobPart, type: string) => void} save @param {(error: unknown) => void} failed */
  constructor(bench, view, save, failed) {
    this.#bench = bench;
    this.#view = view;
    const places = (this.#places = bench.places);
    view.addEventListener("pick", (event) => places.choose(/** @type {CustomEvent} */ (event).detail));
    element("crop-side").value = String(places.side);
    element("crop-side").addEventListener("change", () => (places.side = Number(element("crop-side").value)));
    this.#methods.addEventListener("change", () => {
      this.#hidden = new Set([...this.#methods.querySelectorAll("input")].flatMap(({ value, checked }) => (checked ? [] : [value])));
      this.draw();
    });
    element("next-place").onclick = () => places.next();
    element("close-crops").onclick = () => places.close();
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

  #made() {
    const { x, y, width } = this.#part ?? {};
    return { place: { x, y }, side: width, crops: this.#shown.map(({ name, score, network }) => ({ name, score, network })), ...provenance(this.#bench) };
  }

  /** What is looked at of the pictures, which are alike in size. */
  get #part() {
    const { contenders, scheduler } = this.#bench;
    const picture = contenders.ids.map((id) => scheduler.result(id)?.picture).find(Boolean);
    return picture && this.#places.part(picture);
  }

  draw() {
    this.#places.update();
    const { contenders, samples, scheduler } = this.#bench;
    const part = samples.current && this.#part;
    element("crops").hidden = !part;
    this.#view.frame(part);
    if (!part) return;
    const { rank } = this.#places;
    say(element("crops-title"), rank ? "Where they differ most" : "One place, all methods");
    say(element("crops-place"), `${part.width} × ${part.height} pixels at ${part.x}, ${part.y}, framed above${rank && rank.count > 1 ? `; place ${rank.index + 1} of ${rank.count}` : ""}.`);
    element("next-place").disabled = !this.#places.hasNext;
    say(element("next-place"), rank ? "Next place" : "Where they differ most");
    this.#list();
    this.#shown = contenders.ids.filter((id) => !this.#hidden.has(id)).flatMap((id) => {
      const picture = scheduler.result(id)?.picture;
      const score = scheduler.score(id);
      const network = this.#bench.libraryOf(contenders.get(id).chosen).info?.sha256;
      return picture ? [{ name: contenders.title(id), network, picture: cut(picture, part), score: score ? `${decimal(score.psnrY, 2)} dB / ${decimal(score.ssimY, 4)}` : "PSNR / SSIM" }] : [];
    });
    for (const id of ["crops-png", "crops-svg"]) element(id).disabled = !this.#shown.length;
    this.#paint();
  }

  /** The methods to choose from. */
  #list() {
    const { contenders } = this.#bench;
    const listed = JSON.stringify(contenders.ids.map((id) => [id, contenders.title(id)]));
    if (this.#methods.dataset.listed === listed) return;
    this.#methods.dataset.listed = listed;
    for (const label of this.#methods.querySelectorAll("label")) label.remove();
    for (const id of contenders.ids) {
      const label = document.createElement("label");
      label.className = "link";
      label.append(Object.assign(document.createElement("input"), { type: "checkbox", value: id, checked: !this.#hidden.has(id) }), contenders.title(id));
      this.#methods.append(label);
    }
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
