// Files of a folder as images of a benchmark: references alone, or pairs of high and low resolution. No DOM.

/** @typedef {{path: string, file: File}} Found a file with its path in the folder */
/** @typedef {{name: string, high: File, low?: File}} Listed */

const IMAGE = /\.(png|jpe?g|webp)$/i;
/** What says which of a pair a file is: a word of its own in its path. */
const ROLE = /(^|[^a-z])(hr|lr)(?=[^a-z]|$)/gi;

/** @param {string} path */
const roleOf = (path) => [...path.matchAll(ROLE)].at(-1)?.[2].toLowerCase();

/** In the order of their names. Where there are low-resolution images, each must have its reference, and each reference its image. @param {Found[]} files @returns {Listed[]} */
export function listImages(files) {
  const images = files.filter(({ path }) => IMAGE.test(path)).sort((a, b) => (a.path < b.path ? -1 : 1));
  if (!images.length) throw new Error("there is no PNG, JPEG or WebP image in this folder");
  const lows = images.filter(({ path }) => roleOf(path) === "lr");
  const nameOf = (/** @type {string} */ path) => path.split("/").at(-1) ?? path;
  if (!lows.length) return images.map(({ path, file }) => ({ name: nameOf(path), high: file }));
  const keyOf = (/** @type {string} */ path) => path.replace(ROLE, "$1");
  const byKey = new Map(lows.map(({ path, file }) => [keyOf(path), { path, file }]));
  const listed = images.filter((image) => !lows.includes(image)).map(({ path, file }) => {
    const low = byKey.get(keyOf(path));
    if (!low) throw new Error(`${path} has no low-resolution image: name pairs alike but for HR and LR`);
    byKey.delete(keyOf(path));
    return { name: nameOf(path), high: file, low: low.file };
  });
  const [left] = byKey.values();
  if (left) throw new Error(`${left.path} has no reference: name pairs alike but for HR and LR`);
  return listed;
}
