// A value of the universal set as the sum that it is. No DOM.

/** A power of two, or what is left of it, as a fraction. @param {number} word */
const fraction = (word) => (word === 0 || Number.isInteger(word) ? String(word) : `1/${1 / word}`);

/** How many powers of two add up to a number that is a multiple of 1/512. @param {number} sum */
function powers(sum) {
  let count = 0;
  for (let left = Math.round(sum * 512); left; left >>= 1) count += left & 1;
  return count;
}

const NUMBERS = ["no", "one", "two", "three", "four", "five", "six"];
const count = (/** @type {number} */ n, /** @type {string} */ what) => `${NUMBERS[n] ?? n} ${what}${n === 1 ? "" : "s"}`;

/** Such as "(1 + 1 + 1 + 1/4) / 4: three shifts and two additions". @param {number} value @param {number[]} words whose mean is the value, but for the sign */
export function sumText(value, words) {
  const terms = powers(words.reduce((sum, word) => sum + word, 0));
  if (!terms) return "0: nothing to compute";
  const shifts = terms === 1 ? "one shift" : `${count(terms, "shift")} and ${count(terms - 1, "addition")}`;
  return `${value < 0 ? "−" : ""}(${words.map(fraction).join(" + ")}) / ${words.length}: ${shifts}`;
}
