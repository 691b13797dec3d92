// <compare-view>: pictures of the same size under one zoom and pan, as panes, as a pair, or with a slider between two.
import { METHOD_NAMES } from "../model/plan.js";

/** What else is in sight beside the panes when the page is at its top, in CSS pixels. */
const BESIDE = 250;
/** Least height of a picture in a pane. */
const LEAST = 200;
/** So much larger pictures must be for a second row, beside which there is empty room. */
const WORTH = 1.3;

const MIN_ZOOM = 0.5;
const MAX_ZOOM = 64;
/** A pointer that moved less than this, in CSS pixels, has clicked. */
const STILL = 4;

const clamp = (/** @type {number} */ value, /** @type {number} */ low, /** @type {number} */ high) => Math.min(Math.max(value, low), high);

/** Whether something in a pane's head is meant. @param {EventTarget | null} target */
const isControl = (target) => target instanceof Element && Boolean(target.closest("select, button"));

export class CompareView extends HTMLElement {
  /** @type {Map<string, {pane: HTMLElement, area: HTMLElement, canvas: HTMLCanvasElement, caption: HTMLElement, head: HTMLElement}>} */
  #panes = new Map();
  #size = { width: 1, height: 1 };
  /** Zoom relative to fitting, and the point of the picture (0..1) in the middle of each pane. */
  #camera = { zoom: 1, x: 0.5, y: 0.5 };
  #shown = /** @type {string[]} */ ([]);
  #divider = document.createElement("div");
  /** @type {Map<number, {x: number, y: number}>} */
  #pointers = new Map();
  /** Where a pointer went down, as long as it may become a click. @type {{x: number, y: number} | undefined} */
  #down;

  connectedCallback() {
    for (const [method, name] of [...Object.entries(METHOD_NAMES), ["difference", "Difference"]]) this.#add(method, method, name);
    this.#divider.className = "divider";
    this.#divider.tabIndex = 0;
    this.#divider.role = "slider";
    this.#divider.ariaLabel = "Divider between left and right";
    this.#divider.ariaValueMin = "0";
    this.#divider.ariaValueMax = "100";
    this.append(this.#divider);
    this.#setSplit(50);
    new ResizeObserver(() => this.#place()).observe(this);
    addEventListener("resize", () => this.#place());
    this.addEventListener("pointerdown", (event) => this.#pointerDown(event));
    this.addEventListener("pointermove", (event) => this.#pointerMove(event));
    for (const end of ["pointerup", "pointercancel"]) this.addEventListener(end, (event) => this.#pointerUp(/** @type {PointerEvent} */ (event)));
    this.addEventListener("wheel", (event) => this.#wheel(event), { passive: false });
    this.addEventListener("dblclick", ({ target }) => isControl(target) || this.fit());
    this.addEventListener("keydown", (event) => this.#key(event));
    for (const end of ["keyup", "blur"]) this.addEventListener(end, () => this.classList.remove("flicked"));
  }

  /** @param {string} id @param {string} method whose colour it has @param {string} name */
  #add(id, method, name) {
    const pane = document.createElement("figure");
    pane.className = "pane";
    pane.dataset.method = method;
    const canvas = document.createElement("canvas");
    canvas.dataset.testid = `canvas-${id}`;
    canvas.width = canvas.height = 1;
    canvas.role = "img";
    const [area, frame, share, head] = ["area", "frame", "share", "head"].map((className) => Object.assign(document.createElement("div"), { className }));
    head.append(document.createElement("b"));
    const caption = document.createElement("figcaption");
    caption.append(head, " ", document.createElement("span"));
    area.append(canvas, frame, share);
    pane.append(caption, area);
    this.append(pane);
    this.#panes.set(id, { pane, area, canvas, caption, head });
    this.#name(id, name);
  }

  /** @param {string} id @param {string} name */
  #name(id, name) {
    const { canvas, head } = /** @type {{canvas: HTMLCanvasElement, head: HTMLElement}} */ (this.#panes.get(id));
    canvas.ariaLabel = name;
    /** @type {Element} */ (head.firstElementChild).textContent = name;
  }

  /** Has a pane for each of these beside the methods, and for no others. @param {{id: string, method: string, name: string}[]} kept */
  provide(kept) {
    for (const [id, { pane }] of this.#panes) {
      if (id in METHOD_NAMES || id === "difference" || kept.some((one) => one.id === id)) continue;
      pane.remove();
      this.#panes.delete(id);
    }
    for (const { id, method, name } of kept) {
      if (this.#panes.has(id)) this.#name(id, name);
      else this.#add(id, method, name);
    }
  }

  /** Where a pane's controls are. @param {string} id */
  head(id) {
    return this.#panes.get(id)?.head;
  }

  /** Arranges the panes: `view` is panes, pair, slider or difference. @param {string} view @param {string[]} methods */
  arrange(view, methods) {
    this.dataset.view = view;
    this.#shown = methods;
    for (const [method, { pane }] of this.#panes) {
      const at = methods.indexOf(method);
      pane.classList.toggle("shown", at >= 0);
      pane.classList.toggle("right", view === "slider" && at === 1);
      pane.style.order = String(at);
      pane.style.zIndex = view === "slider" ? String(at) : "";
    }
    this.#divider.style.zIndex = "3";
    this.#place();
  }

  /** Sets the size of all pictures. Another size than before clears them and answers true. @param {number} width @param {number} height */
  resize(width, height) {
    if (this.#size.width === width && this.#size.height === height) return false;
    this.#size = { width, height };
    for (const { canvas } of this.#panes.values()) canvas.width = canvas.height = 1;
    this.#place();
    return true;
  }

  /** Draws a picture, or what was there before stays. @param {string} method @param {ImageData | undefined} image */
  draw(method, image) {
    const entry = this.#panes.get(method);
    if (!entry || !image) return;
    const { canvas } = entry;
    if (canvas.width !== image.width) canvas.width = image.width;
    if (canvas.height !== image.height) canvas.height = image.height;
    canvas.getContext("2d")?.putImageData(image, 0, 0);
  }

  /** Whether a pane shows something else until its own picture comes. @param {string} method @param {boolean} waiting */
  waits(method, waiting) {
    this.#panes.get(method)?.pane.classList.toggle("waiting", waiting);
  }

  /** @param {string} method @param {string} text behind the method's name @param {boolean} failed whether it says why there is no picture */
  caption(method, text, failed) {
    const entry = this.#panes.get(method);
    entry?.pane.classList.toggle("failed", failed);
    const note = entry?.caption.lastElementChild;
    if (note && note.textContent !== text) note.textContent = text;
  }

  /** Frames a part of the pictures, in their pixels, or none. @param {{x: number, y: number, width: number, height: number} | undefined} part */
  frame(part) {
    this.classList.toggle("framed", Boolean(part));
    if (part) for (const [name, value] of Object.entries(part)) this.style.setProperty(`--frame-${name}`, String(value));
  }

  /** @param {string} method @param {number} done share in 0..1 */
  progress(method, done) {
    this.#panes.get(method)?.pane.style.setProperty("--done", String(done));
  }

  /** Zoom relative to fitting, and the point of the pictures (0..1) in the middle of each pane. */
  get camera() {
    return this.#camera;
  }

  fit() {
    this.look({ zoom: 1, x: 0.5, y: 0.5 });
  }

  /** Looks at a place. @param {{zoom: number, x: number, y: number}} camera */
  look({ zoom, x, y }) {
    this.#camera = { zoom: clamp(zoom, MIN_ZOOM, MAX_ZOOM), x: clamp(x, 0, 1), y: clamp(y, 0, 1) };
    this.#place();
  }

  /** @param {number} factor @param {{x: number, y: number}} [at] a point in a pane, from its centre, in CSS pixels */
  zoom(factor, at = { x: 0, y: 0 }) {
    const before = this.#scale();
    this.#camera.zoom = clamp(this.#camera.zoom * factor, MIN_ZOOM, MAX_ZOOM);
    const after = this.#scale();
    // The point under the pointer stays there.
    this.#move(at.x / before - at.x / after, at.y / before - at.y / after);
  }

  #paneSize() {
    const area = this.#panes.get(this.#shown[0])?.area;
    return { width: area?.clientWidth || 1, height: area?.clientHeight || 1 };
  }

  /** Gives panes the pictures' shape, side by side or two by two: whichever shows the pictures larger. */
  #fill() {
    const count = this.#shown.length;
    if (this.dataset.view !== "panes" || !count) return;
    const { width, height } = this.#size;
    const words = Math.max(...this.#shown.map((method) => this.#panes.get(method)?.caption.offsetHeight ?? 0));
    // One after another, to be swiped.
    if (getComputedStyle(this).gridAutoFlow.startsWith("column")) {
      const across = this.#panes.get(this.#shown[0])?.pane.clientWidth ?? this.clientWidth;
      this.style.setProperty("--area", `${Math.round((across / width) * height)}px`);
      return;
    }
    const layouts = [count, Math.ceil(count / 2)].map((columns) => {
      const rows = Math.ceil(count / columns);
      const room = Math.max((innerHeight - BESIDE) / rows - words, LEAST);
      const across = this.clientWidth / columns;
      return { columns, scale: Math.min(across / width, room / height) };
    });
    const { columns, scale } = layouts.reduce((best, layout) => (layout.scale > WORTH * best.scale ? layout : best));
    this.style.setProperty("--columns", String(columns));
    this.style.setProperty("--area", `${Math.round(scale * height)}px`);
  }

  /** CSS pixels for one pixel of the picture. */
  #scale() {
    const { width, height } = this.#paneSize();
    return Math.min(width / this.#size.width, height / this.#size.height) * this.#camera.zoom;
  }

  /** Moves the camera by pixels of the picture. @param {number} dx @param {number} dy */
  #move(dx, dy) {
    const { zoom, x, y } = this.#camera;
    this.look({ zoom, x: x + dx / this.#size.width, y: y + dy / this.#size.height });
  }

  #place() {
    this.#fill();
    const { width, height } = this.#paneSize();
    const scale = this.#scale();
    this.style.setProperty("--s", String(scale));
    this.style.setProperty("--x", `${width / 2 - this.#camera.x * this.#size.width * scale}px`);
    this.style.setProperty("--y", `${height / 2 - this.#camera.y * this.#size.height * scale}px`);
    this.classList.toggle("zoomed", this.#camera.zoom > 1);
    this.classList.toggle("magnified", scale * devicePixelRatio >= 2);
    this.dispatchEvent(new CustomEvent("camera", { detail: { scale, fitted: this.#camera.zoom === 1 } }));
  }

  /** @param {number} percent */
  #setSplit(percent) {
    const value = clamp(percent, 0, 100);
    this.style.setProperty("--split", `${value}%`);
    this.#divider.ariaValueNow = String(Math.round(value));
  }

  /** @param {PointerEvent} event */
  #pointerDown(event) {
    if (event.button !== 0 || isControl(event.target)) return;
    this.setPointerCapture(event.pointerId);
    const at = { x: event.clientX, y: event.clientY };
    this.#pointers.set(event.pointerId, at);
    this.#down = this.#pointers.size === 1 && event.target !== this.#divider ? at : undefined;
    this.classList.toggle("splitting", event.target === this.#divider);
    this.classList.add("dragging");
  }

  /** @param {PointerEvent} event */
  #pointerMove(event) {
    const last = this.#pointers.get(event.pointerId);
    if (!last) return;
    const now = { x: event.clientX, y: event.clientY };
    this.#pointers.set(event.pointerId, now);
    if (this.#down && Math.hypot(now.x - this.#down.x, now.y - this.#down.y) > STILL) this.#down = undefined;
    if (this.classList.contains("splitting")) {
      const box = this.getBoundingClientRect();
      return this.#setSplit((100 * (now.x - box.left)) / box.width);
    }
    const scale = this.#scale();
    const count = this.#pointers.size;
    this.#move((last.x - now.x) / scale / count, (last.y - now.y) / scale / count);
    const other = [...this.#pointers].find(([id]) => id !== event.pointerId)?.[1];
    if (!other) return;
    const distance = (/** @type {{x: number, y: number}} */ p) => Math.max(Math.hypot(p.x - other.x, p.y - other.y), 1);
    this.zoom(distance(now) / distance(last));
  }

  /** @param {PointerEvent} event */
  #pointerUp(event) {
    if (event.type === "pointerup" && this.#down) this.#pick(event);
    this.#down = undefined;
    this.#pointers.delete(event.pointerId);
    if (this.#pointers.size === 0) this.classList.remove("dragging", "splitting");
  }

  /** Says which place of the pictures (0..1) was clicked. @param {PointerEvent} event */
  #pick({ clientX, clientY }) {
    const panes = [...this.#panes.values()].filter(({ pane }) => pane.classList.contains("shown"));
    const inside = ({ left, right, top, bottom } = new DOMRect()) => clientX >= left && clientX <= right && clientY >= top && clientY <= bottom;
    const canvas = panes.find(({ area }) => inside(area.getBoundingClientRect()))?.canvas;
    const box = canvas?.getBoundingClientRect();
    if (!box || !inside(box)) return;
    const detail = { x: (clientX - box.left) / box.width, y: (clientY - box.top) / box.height };
    this.dispatchEvent(new CustomEvent("pick", { detail }));
  }

  /** Zooms with Ctrl, as a touchpad's pinch says it too, or after a click into the pictures; else the page scrolls. @param {WheelEvent} event */
  #wheel(event) {
    if (!event.ctrlKey && !this.contains(document.activeElement)) return;
    event.preventDefault();
    const area = /** @type {HTMLElement} */ (event.target).closest(".pane")?.querySelector(".area") ?? this;
    const box = area.getBoundingClientRect();
    const at = { x: event.clientX - box.left - box.width / 2, y: event.clientY - box.top - box.height / 2 };
    this.zoom(Math.exp(-event.deltaY / (event.deltaMode ? 8 : 400)), at);
  }

  /** @param {KeyboardEvent} event */
  #key(event) {
    if (isControl(event.target)) return;
    const onDivider = event.target === this.#divider;
    /** @type {Record<string, [number, number]>} */
    const arrows = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
    const arrow = arrows[event.key];
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (arrow && onDivider) this.#setSplit(Number(this.#divider.ariaValueNow) + 2 * (arrow[0] - arrow[1]));
    else if (arrow) this.#move((arrow[0] * 60) / this.#scale(), (arrow[1] * 60) / this.#scale());
    else if (event.key === "+" || event.key === "=") this.zoom(1.4);
    else if (event.key === "-") this.zoom(1 / 1.4);
    else if (event.key === "Enter" && !onDivider) this.dispatchEvent(new CustomEvent("pick", { detail: { x: this.#camera.x, y: this.#camera.y } }));
    else if (event.key === "0") this.fit();
    else if (event.key.toLowerCase() === "f") this.classList.add("flicked");
    else return;
    event.preventDefault();
  }
}

customElements.define("compare-view", CompareView);
