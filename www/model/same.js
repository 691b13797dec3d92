// Plain values compared, and told apart by a text. No DOM.

/** Whether two plain values are the same, in whatever order their entries are. @param {any} a @param {any} b @returns {boolean} */
export function same(a, b) {
  return canonicalText(a) === canonicalText(b);
}

/** JSON with the entries of objects in order. @param {any} value @returns {string} */
export function canonicalText(value) {
  return JSON.stringify(value, (_, part) => (part && typeof part === "object" && !Array.isArray(part) ? Object.fromEntries(Object.entries(part).sort(([a], [b]) => (a < b ? -1 : 1))) : part));
}
