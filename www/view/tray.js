// The open images as small pictures: look at one, close it, put it elsewhere. The part that is computed has a frame.
import { imageData } from "./comparison.js";

/** @typedef {import("../model/bench.js").Bench} Bench */
/** @typedef {import("../model/samples.js").Sample} Sample */

/** Longer side of a small picture in pixels of the screen. */
const SIDE = 88;

export class Tray {
  #bench;
  #list;
  /** What it shows now. */
  #shown = "";
  /** Small pictures by the picture that they are of. @type {WeakMap<object, HTMLCanvasElement>} */
  #small = new WeakMap();

  /** @param {HTMLElement} list @param {Bench} bench */
  constructor(list, bench) {
    this.#list = list;
    this.#bench = bench;
    list.addEventListener("keydown", (event) => this.#key(event));
    list.addEventListener("dragover", (event) => event.dataTransfer?.types.includes("text/x-tray") && event.preventDefault());
    list.addEventListener("drop", (event) => {
      const from = event.dataTransfer?.getData("text/x-tray");
      const onto = /** @type {HTMLElement} */ (event.target).closest("li");
      if (!from || !onto) return;
      event.preventDefault();
      event.stopPropagation();
      bench.moveImage(Number(from), [...list.children].indexOf(onto));
    });
  }

  /** Alt and an arrow move an image, Delete closes it. @param {KeyboardEvent} event */
  #key(event) {
    const item = /** @type {HTMLElement} */ (event.target).closest("li");
    if (!item) return;
    const index = [...this.#list.children].indexOf(item);
    const by = event.altKey ? { ArrowLeft: -1, ArrowRight: 1 }[event.key] : undefined;
    if (by) this.#bench.moveImage(index, index + by);
    else if (event.key === "Delete") this.#bench.removeImage(index);
    else return;
    event.preventDefault();
    this.draw();
    this.#focus(index + (by ?? 0));
  }

  /** @param {Sample} sample @param {number} index */
  #item({ name, picture, region }, index) {
    const item = document.createElement("li");
    const look = document.createElement("button");
    look.type = "button";
    look.title = name;
    look.ariaLabel = name;
    look.draggable = true;
    look.setAttribute("aria-keyshortcuts", "Alt+ArrowLeft Alt+ArrowRight Delete");
    look.ariaCurrent = String(index === this.#bench.samples.active);
    look.onclick = () => this.#bench.chooseSample(index);
    look.addEventListener("dragstart", (event) => event.dataTransfer?.setData("text/x-tray", String(index)));
    const frame = document.createElement("span");
    const share = (/** @type {number} */ part, /** @type {number} */ of) => `${(100 * part) / of}%`;
    frame.style.inset = `${share(region.y, picture.height)} ${share(picture.width - region.x - region.width, picture.width)} ${share(picture.height - region.y - region.height, picture.height)} ${share(region.x, picture.width)}`;
    look.append(this.#smallOf(picture), frame);
    const close = document.createElement("button");
    close.type = "button";
    close.className = "close";
    close.textContent = "×";
    close.ariaLabel = `Close ${name}`;
    close.dataset.testid = `tray-remove-${index}`;
    close.onclick = () => this.#bench.removeImage(index);
    item.append(look, close);
    return item;
  }

  /** @param {import("../pkg/dfsq.js").Picture} picture */
  #smallOf(picture) {
    let small = this.#small.get(picture);
    if (!small) {
      small = document.createElement("canvas");
      const scale = SIDE / Math.max(picture.width, picture.height);
      small.width = Math.max(1, Math.round(picture.width * scale));
      small.height = Math.max(1, Math.round(picture.height * scale));
      const context = small.getContext("2d");
      const { width, height } = small;
      createImageBitmap(imageData(picture), { resizeWidth: width, resizeHeight: height, resizeQuality: "medium" }).then((bitmap) => context?.drawImage(bitmap, 0, 0), () => {});
      this.#small.set(picture, small);
    }
    return small;
  }

  draw() {
    const { list, active } = this.#bench.samples;
    const now = JSON.stringify([list.map(({ name, picture, region }) => [name, picture.sha256, region]), active]);
    if (now === this.#shown) return;
    this.#shown = now;
    const items = [...this.#list.children];
    const focused = items.findIndex((item) => item.contains(document.activeElement));
    this.#list.replaceChildren(...list.map((sample, index) => this.#item(sample, index)));
    // What had the focus was replaced.
    if (focused >= 0) this.#focus(focused);
  }

  /** @param {number} index */
  #focus(index) {
    const last = this.#list.children.length - 1;
    /** @type {HTMLElement | null | undefined} */ (this.#list.children[Math.max(0, Math.min(index, last))]?.querySelector("button"))?.focus();
  }
}
