// Short words for the page's elements.

/** @param {string} id @returns {any} */
export const element = (id) => document.getElementById(id);

/** @param {string} selector @param {ParentNode} parent @returns {any} */
export const find = (selector, parent) => parent.querySelector(selector);

/** Whether the page is dark, and an event when that changes. */
export const dark = matchMedia("(prefers-color-scheme: dark)");

/** Sets a text only where it changes, or a screen reader says it again and again. @param {HTMLElement} at @param {string} text */
export function say(at, text) {
  if (at.textContent !== text) at.textContent = text;
}
