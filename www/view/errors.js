// The line that says what went wrong: what the user just did, and what methods could not do.
import { isCancelled } from "../engine/client.js";
import { METHOD_NAMES } from "../model/plan.js";

/** @typedef {import("../model/bench.js").Bench} Bench */

/** @param {unknown} cause */
export const messageOf = (cause) => (cause instanceof Error ? cause.message : String(cause));

export class Errors {
  /** What the user did that failed. @type {string[]} */
  #told = [];
  /** What is worth a word, and no error. @type {string[]} */
  #remarks = [];
  /** What was dismissed. */
  #dismissed = "";
  #box;
  #bench;

  /** @param {HTMLElement} box @param {Bench} bench */
  constructor(box, bench) {
    this.#box = box;
    this.#bench = bench;
    // The user goes on.
    bench.settings.addEventListener("change", () => this.clear());
  }

  /** Whether something went wrong. */
  get any() {
    return this.#lines().length > this.#remarks.length;
  }

  /** @param {string} text */
  remark(text) {
    this.#remarks.push(text);
    this.draw();
  }

  /** @param {unknown} cause @param {string} [what] that it happened to */
  tell(cause, what) {
    if (isCancelled(cause)) return;
    this.#told.push(what ? `${what}: ${messageOf(cause)}` : messageOf(cause));
    this.draw();
    this.#box.scrollIntoView({ block: "nearest" });
  }

  /** The user goes on to something else. */
  clear() {
    this.#told = [];
    this.#remarks = [];
    this.draw();
  }

  #lines() {
    const methods = ["images", ...Object.keys(METHOD_NAMES)];
    /** @type {Map<string, string[]>} */
    const failures = new Map();
    for (const method of methods) {
      const failure = this.#bench.scheduler.failure(method);
      if (failure) failures.set(failure.message, [...(failures.get(failure.message) ?? []), METHOD_NAMES[method] ?? "Bicubic"]);
    }
    const said = [...failures].map(([message, names]) => `${names.join(", ")}: ${message}`);
    return [...this.#remarks, ...this.#told, ...(said.join("\n") === this.#dismissed ? [] : said)];
  }

  draw() {
    const lines = this.#lines();
    const text = lines.join("\n");
    this.#box.hidden = !lines.length;
    if (!lines.length || this.#box.dataset.text === text) return;
    this.#box.dataset.text = text;
    const close = document.createElement("button");
    close.type = "button";
    close.textContent = "Dismiss";
    close.onclick = () => {
      this.#told = this.#remarks = [];
      this.#dismissed = this.#lines().join("\n");
      this.#bench.changed();
    };
    this.#box.replaceChildren(text, close);
  }
}
