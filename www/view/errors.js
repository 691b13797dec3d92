// The line that says what went wrong: what the user just did, and what methods could not do.
import { isCancelled } from "../engine/client.js";
import { METHOD_NAMES } from "../model/plan.js";

/** @typedef {import("../model/bench.js").Bench} Bench */
/** @typedef {{name: string, take: () => void}} Way a way out, on a button */

/** @param {unknown} cause */
export const messageOf = (cause) => (cause instanceof Error ? cause.message : String(cause));

export class Errors {
  /** What the user did that failed, and what can be done about it. @type {{text: string, ways: Way[]}[]} */
  #told = [];
  /** What is worth a word, and no error. @type {string[]} */
  #remarks = [];
  /** Failures that were dismissed; the same that happens anew is another one. @type {WeakSet<Error>} */
  #dismissed = new WeakSet();
  /** What the box shows now. */
  #shown = "";
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

  /** @param {unknown} cause @param {string} [what] that it happened to @param {Way[]} [ways] what can be done */
  tell(cause, what, ways = []) {
    if (isCancelled(cause)) return;
    const text = what ? `${what}: ${messageOf(cause)}` : messageOf(cause);
    this.#told = [...this.#told.filter((one) => one.text !== text), { text, ways }];
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
    const { contenders } = this.#bench;
    const methods = ["images", ...contenders.ids];
    /** @type {Map<string, string[]>} */
    const failures = new Map();
    for (const method of methods) {
      const failure = this.#bench.scheduler.failure(method);
      if (failure && !this.#dismissed.has(failure)) failures.set(failure.message, [...(failures.get(failure.message) ?? []), method === "images" ? "Bicubic" : contenders.title(method)]);
    }
    const said = [...failures].map(([message, names]) => `${names.join(", ")}: ${message}`);
    return [...this.#remarks, ...this.#told.map(({ text }) => text), ...said];
  }

  draw() {
    const lines = this.#lines();
    const text = lines.join("\n");
    const ways = this.#told.flatMap(({ ways }) => ways);
    this.#box.hidden = !lines.length;
    const now = JSON.stringify([text, ways]);
    if (!lines.length || this.#shown === now) return;
    this.#shown = now;
    const close = document.createElement("button");
    close.type = "button";
    close.textContent = "Dismiss";
    close.onclick = () => {
      this.#told = [];
      this.#remarks = [];
      for (const method of ["images", ...this.#bench.contenders.ids]) {
        const failure = this.#bench.scheduler.failure(method);
        if (failure) this.#dismissed.add(failure);
      }
      this.#bench.changed();
    };
    const buttons = ways.map(({ name, take }) => Object.assign(document.createElement("button"), { type: "button", textContent: name, onclick: take }));
    this.#box.replaceChildren(text, ...buttons, close);
  }
}
