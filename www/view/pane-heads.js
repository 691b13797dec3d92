// The heads of the panes: which method each shows, of which network, and a pin that keeps it as it is now.
import { METHOD_NAMES, NETWORK_METHODS, QUANTIZED_METHODS } from "../model/plan.js";
import { bitsInShort } from "../model/contenders.js";
import { say } from "./dom.js";

/** @typedef {import("../model/bench.js").Bench} Bench */
/** @typedef {{select: HTMLSelectElement, pin: HTMLButtonElement, listed: string}} Head */

/** How the value of an option begins that asks for another network. */
const WITH = "with ";

export class PaneHeads {
  #bench;
  #view;
  #choose;
  #networks;
  /** By contender. @type {Map<string, Head>} */
  #heads = new Map();

  /** @param {Bench} bench @param {import("./compare-view.js").CompareView} view @param {(from: string, to: string) => void} choose puts a contender in the pane of another @param {import("./network-picker.js").NetworkPicker} networks */
  constructor(bench, view, choose, networks) {
    this.#bench = bench;
    this.#view = view;
    this.#choose = choose;
    this.#networks = networks;
  }

  /** @param {string[]} shown */
  draw(shown) {
    const { contenders } = this.#bench;
    for (const id of [...this.#heads.keys()]) if (!contenders.ids.includes(id)) this.#heads.delete(id);
    for (const id of shown) {
      const { method, chosen } = contenders.get(id);
      const head = this.#head(id);
      const { select, pin } = head;
      const groups = this.#groups(id);
      const listed = JSON.stringify(groups);
      if (head.listed !== listed) {
        select.replaceChildren(...groups.map(([label, options]) => group(label, options)));
        head.listed = listed;
      }
      select.value = id;
      const kept = contenders.isKept(id);
      pin.hidden = !NETWORK_METHODS.includes(method);
      pin.disabled = !kept && !contenders.canKeep;
      pin.ariaPressed = String(kept);
      say(pin, kept ? "Kept" : "Keep");
      const own = method === "fp32" ? "with this network" : `at ${bitsInShort(chosen.values)} with this network`;
      pin.title = kept ? "Let this pane follow the network and the bits chosen above again" : `Keep this pane ${own}, whatever is chosen above`;
    }
  }

  /** Puts the focus on what chooses the method of a pane. @param {string} id */
  focus(id) {
    this.#heads.get(id)?.select.focus();
  }

  /** What a pane can show: names of groups, with contenders and what they are called. @param {string} id of what it shows now @returns {[string, [string, string][]][]} */
  #groups(id) {
    const { contenders, library, listed, settings } = this.#bench;
    const titled = (/** @type {string[]} */ ids) => ids.map((id) => /** @type {[string, string]} */ ([id, contenders.title(id)]));
    const plain = ["reference", "bicubic"].filter((id) => id !== "reference" || settings.values.mode === "benchmark");
    const kept = contenders.kept.map(({ id }) => id);
    const others = QUANTIZED_METHODS.flatMap((method) => settings.quantizedWidths.map((width) => /** @type {[string, string]} */ ([`${method}@${width}`, `${METHOD_NAMES[method]} W${width}A${width}`])));
    const { method } = contenders.get(id);
    const own = NETWORK_METHODS.includes(method) ? METHOD_NAMES[method] : METHOD_NAMES.fp32;
    const alike = listed.filter(({ scale, sha256 }) => scale === library.info?.convention.scale && sha256 !== library.info.sha256);
    const networks = alike.map((entry) => /** @type {[string, string]} */ ([`${WITH}${entry.id}`, `${entry.name}: ${own}`]));
    return [
      ["At the bits above", titled(NETWORK_METHODS)],
      ["Without a network", titled(plain)],
      ...(kept.length ? [/** @type {[string, [string, string][]]} */ (["Kept", titled(kept)])] : []),
      ...(contenders.canKeep ? [/** @type {[string, [string, string][]]} */ (["Kept at other bits", others])] : []),
      ...(contenders.canKeep && networks.length ? [/** @type {[string, [string, string][]]} */ (["Kept with another network", networks])] : []),
    ];
  }

  /** Has a pane show its method as another network gives it, once that is there. @param {string} id of what it shows now @param {string} network */
  async #beside(id, network) {
    const { contenders } = this.#bench;
    const { method, chosen } = contenders.get(id);
    const library = await this.#networks.readBeside(network);
    // Until then it shows what it did.
    const isWanted = library && contenders.canKeep && contenders.isAlike(library) && this.#heads.has(id);
    if (isWanted) this.#choose(id, contenders.keep(NETWORK_METHODS.includes(method) ? method : "fp32", chosen.of(library)));
    this.#bench.changed();
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
      if (select.value.startsWith(WITH)) return void this.#beside(id, select.value.slice(WITH.length));
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
