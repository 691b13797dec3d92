// What the pointer and the keyboard do on every figure: read out, choose, move.
import { element, say } from "./dom.js";

/** @typedef {import("./figure.js").Figure} Figure */

/**
 * @typedef {object} Pointing
 * @property {(x: number, y: number) => string} read what is there, in words; nothing where there is nothing
 * @property {(x: number, y: number) => void} [choose] on a click
 * @property {(dx: number, dy: number, shift: boolean) => {at: [number, number], text: string} | undefined} [step] on an arrow key; answers where that leads, and what is there
 * @property {(x: number, y: number) => ((x: number) => void) | undefined} [grasp] answers what moves with the pointer from there
 */

/** @type {Record<string, [number, number]>} */
const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

/** Moved less than this, in CSS pixels, a pointer has clicked. */
const STILL = 4;

/** @param {string} text @param {{clientX: number, clientY: number}} at */
function tell(text, { clientX, clientY }) {
  const tip = element("tip");
  tip.hidden = !text;
  if (tip.textContent !== text) tip.textContent = text;
  if (!text) return;
  const { offsetWidth, offsetHeight } = tip;
  const left = Math.min(clientX + 14, innerWidth - offsetWidth - 8);
  const top = clientY + 18 + offsetHeight > innerHeight ? clientY - offsetHeight - 12 : clientY + 18;
  tip.style.translate = `${Math.max(left, 8)}px ${Math.max(top, 8)}px`;
}

const hide = () => (element("tip").hidden = true);

/** @param {Figure} figure @param {Pointing} on */
export function point(figure, { read, choose, step, grasp }) {
  const { at } = figure;
  /** @type {((x: number) => void) | undefined} */
  let moved;
  /** Where the pointer went down. @type {PointerEvent | undefined} */
  let down;
  if (step) {
    at.tabIndex = 0;
    // So that screen readers leave the arrow keys to it.
    at.role = "application";
    at.setAttribute("aria-keyshortcuts", grasp ? "ArrowLeft ArrowRight Shift+ArrowLeft Shift+ArrowRight" : "ArrowLeft ArrowRight ArrowUp ArrowDown");
  }
  at.classList.toggle("choosable", Boolean(choose));
  at.classList.toggle("grasping", Boolean(grasp));
  at.addEventListener("pointermove", (event) => {
    const place = figure.valuesAt(event);
    if (moved && place) moved(place[0]);
    at.classList.toggle("graspable", Boolean(moved || (place && grasp?.(...place))));
    tell(place ? read(...place) : "", event);
  });
  at.addEventListener("pointerleave", hide);
  at.addEventListener("blur", hide);
  at.addEventListener("pointerdown", (event) => {
    if (event.button !== 0) return;
    const place = figure.valuesAt(event);
    down = event;
    moved = place && grasp?.(...place);
    if (moved) at.setPointerCapture(event.pointerId);
  });
  at.addEventListener("pointerup", (event) => {
    const place = figure.valuesAt(event);
    const still = down && Math.hypot(event.clientX - down.clientX, event.clientY - down.clientY) < STILL;
    if (place && still && !moved) choose?.(...place);
    down = moved = undefined;
  });
  at.addEventListener("pointercancel", () => (down = moved = undefined));
  at.addEventListener("keydown", (event) => {
    if (event.key === "Escape") hide();
    const arrow = ARROWS[event.key];
    if (!arrow || !step || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    const next = step(...arrow, event.shiftKey);
    const place = next && figure.pointAt(...next.at);
    if (!next || !place) return;
    tell(next.text, place);
    // The pointer's readings are seen and not said: there are too many.
    say(element("spoken"), next.text);
  });
}
