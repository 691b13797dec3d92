// The drawer with all of the method that is not switched again and again.
import { element } from "./dom.js";

/** @param {boolean} open */
function set(open) {
  const drawer = element("drawer");
  if (drawer.hidden === !open) return;
  drawer.hidden = !open;
  element("method-drawer").ariaExpanded = String(open);
  if (open) drawer.querySelector("summary").focus();
  else element("method-drawer").focus();
}

/** Opens and closes by its buttons and Escape. */
export function listenForDrawer() {
  element("method-drawer").onclick = () => set(element("drawer").hidden);
  element("close-drawer").onclick = () => set(false);
  document.addEventListener("keydown", (event) => event.key === "Escape" && set(false));
}
