// How it works: the formulas, with a value of the channel that is looked at.
import { element, say } from "./dom.js";
import { exampleText } from "./point-words.js";

/** @typedef {import("../pkg/dfsq.js").ChannelPicture} ChannelPicture */

/** @param {() => {channel: ChannelPicture, name: string} | undefined} seen */
export function listenForHow(seen) {
  const dialog = /** @type {HTMLDialogElement} */ (element("how"));
  element("open-how").onclick = () => {
    const what = seen();
    if (what) say(element("how-example"), exampleText(what.channel, what.name));
    dialog.showModal();
  };
  element("close-how").onclick = () => dialog.close();
}
