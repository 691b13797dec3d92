// What keys do, in a dialog, and those that count anywhere on the page.
import { element } from "./dom.js";
import { tableRow } from "./table.js";

/** @type {[keys: string, what: string][]} */
const KEYS = [
  ["?", "Show these keys"],
  ["Ctrl Z", "Undo the last setting"],
  ["← → ↑ ↓", "On the pictures: move. On the divider of the slider: move it. On a figure: the next layer or channel"],
  ["+ −", "On the pictures: zoom in and out"],
  ["Ctrl and wheel", "On the pictures: zoom; after a click into them without Ctrl too"],
  ["0, double click", "On the pictures: fit them"],
  ["F, held", "In the slider: the left picture alone"],
  ["Enter", "On the pictures: enlarge the middle of what is seen. On a figure: choose what is marked"],
  ["Alt ← →", "On an open image: put it elsewhere"],
  ["Delete", "On an open image: close it"],
  ["Ctrl V", "Open an image from the clipboard"],
  ["Esc", "Close a dialog or the drawer"],
];

/** @param {() => void} undo */
export function listenForKeys(undo) {
  const dialog = /** @type {HTMLDialogElement} */ (element("keys"));
  dialog.querySelector("tbody")?.append(...KEYS.map(([keys, what]) => tableRow(keys, [what])));
  element("open-keys").onclick = () => dialog.showModal();
  element("close-keys").onclick = () => dialog.close();
  addEventListener("keydown", (event) => {
    if (event.target instanceof HTMLElement && event.target.closest("input:not([type=radio], [type=checkbox], [type=file], [type=range]), textarea")) return;
    const { key, ctrlKey, metaKey, altKey, shiftKey } = event;
    if (key === "?" && !ctrlKey && !metaKey && !altKey && !document.querySelector("dialog[open]")) dialog.showModal();
    else if (key.toLowerCase() === "z" && (ctrlKey || metaKey) && !altKey && !shiftKey) undo();
    else return;
    event.preventDefault();
  });
}
