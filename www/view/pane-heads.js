// The heads of the panes: which method each shows, and a pin that keeps it as it is now.
import { METHOD_NAMES, NETWORK_METHODS, QUANTIZED_METHODS } from "../model/plan.js";
import { bitsInShort } from "../model/contenders.js";
import { say } from "./dom.js";

/** @typedef {import("../model/bench.js").Bench} Bench */
/** @typedef {{select: HTMLSelectElement, pin: HTMLButtonElement, listed: string}} Head */

export class PaneHeads {
  #bench;
  #view;
  #choose;
  /** By contender. @type {Map<string, Head>} */
  #heads = new Map();

  /** @param {Bench} bench @param {import("./compare-view.js").CompareView} view @param {(from: string, to: string) => void} choose puts a contender in the pane of another */
  constructor(bench, view, choose) {
    this.#bench = bench;
    this.#view = view;
    this.#choose = choose;
  }

  /** @param {string[]} shown */
  draw(shown) {
    const { contenders } = this.#bench;
    for (const id of [...this.#heads.keys()]) if (!contenders.ids.includes(id)) this.#heads.delete(id);
    for (const id of shown) {
      const { method, chosen } = contenders.get(id);
      const head = this.#head(id);
      const { select, pin } = head;
      const groups = this.#groups();
      const listed = JSON.stringify(groups);
      if (head.listed !== listed) {
        select.replaceChildren(...groups.map(([label, options]) => group(label, options)));
        head.listed = listed;
      }
      select.value = id;
      const kept = contenders.isKept(id);
      pin.hidden = !QUANTIZED_METHODS.includes(method);
      pin.disabled = !kept && !contenders.canKeep(id);
      pin.ariaPressed = String(kept);
      say(pin, kept ? "Kept" : "Keep");
      pin.title = kept ? "Let this pane follow the bits above again" : `Keep this pane at ${bitsInShort(chosen.values)} while the bits above change`;
    }
  }

  /** Puts the focus on what chooses the method of a pane. @param {string} id */
  focus(id) {
    this.#heads.get(id)?.select.focus();
  }

  /** What a pane can show: names of groups, with contenders and what they are called. @returns {[string, [string, string][]][]} */
  #groups() {
    const { contenders, settings } = this.#bench;
    const titled = (/** @type {string[]} */ ids) => ids.map((id) => /** @type {[string, string]} */ ([id, contenders.title(id)]));
    const plain = ["reference", "bicubic"].filter((id) => id !== "reference" || settings.values.mode === "benchmark");
    const kept = contenders.kept.map(({ id }) => id);
    const others = QUANTIZED_METHODS.flatMap((method) => settings.quantizedWidths.map((width) => /** @type {[string, string]} */ ([`${method}@${width}`, `${METHOD_NAMES[method]} W${width}A${width}`])));
    return [
      ["At the bits above", titled(NETWORK_METHODS)],
      ["Without a network", titled(plain)],
      ...(kept.length ? [/** @type {[string, [string, string][]]} */ (["Kept", titled(kept)])] : []),
      ...(contenders.canKeep(QUANTIZED_METHODS[0]) ? [/** @type {[string, [string, string][]]} */ (["Kept at other bits", others])] : []),
    ];
  }

  /** @param {string} id @returns {Head} */
  #head(id) {
    const known = this.#heads.get(id);
    if (known) return known;
    const { contenders, settings } = this.#bench;
    const select = document.createElement("select");
    select.ariaLabel = "Method of this pane";
    select.dataset.testid = `pane-method-${id}`;
    select.addEventListener("change", () => {
      const [method, width] = select.value.split("@");
      this.#choose(id, width ? contenders.keep(method, settings.chosen.at(Number(width))) : method);
    });
    const pin = Object.assign(document.createElement("button"), { type: "button", className: "pin" });
    pin.dataset.testid = `keep-${id}`;
    pin.onclick = () => {
      if (!contenders.isKept(id)) return this.#choose(id, contenders.keep(id));
      const { method } = contenders.get(id);
      this.#choose(id, method);
      contenders.release(id);
    };
    this.#view.head(id)?.append(select, pin);
    const head = { select, pin, listed: "" };
    this.#heads.set(id, head);
    return head;
  }
}

/** @param {string} label @param {[string, string][]} options */
function group(label, options) {
  const made = document.createElement("optgroup");
  made.label = label;
  made.append(...options.map(([value, text]) => new Option(text, value)));
  return made;
}
