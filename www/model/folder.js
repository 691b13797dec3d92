// Files of a folder as images of a benchmark: references alone, or pairs of high and low resolution. No DOM.

/** @typedef {{path: string, file: File}} Found a file with its path in the folder */
/** @typedef {{name: string, high: File, low?: File}} Listed */
/** @typedef {import("../pkg/dfsq.js").Pairing} Pairing */

/**
 * What is to be scored, in the order of names, and what is passed over and why. Which files are a pair is for Rust to say.
 * @param {Found[]} files @param {(paths: string[]) => Promise<Pairing>} pair @returns {Promise<{listed: Listed[], passedOver: string[]}>}
 */
export async function listImages(files, pair) {
  files = [...files].sort((one, other) => (one.path < other.path ? -1 : 1));
  const { pairs, unpaired, unreadable } = await pair(files.map(({ path }) => path));
  const passedOver = [
    ...unpaired.map((at) => `${files[at].path}: there is no one image that is its pair by name`),
    ...unreadable.map((at) => `${files[at].path}: only PNG, JPEG and WebP can be read`),
  ];
  if (!pairs.length) throw new Error(["there is no PNG, JPEG or WebP image in this folder that can be scored", ...passedOver].join("; "));
  const listed = pairs.map(([high, low]) => ({
    name: files[high].path.split("/").at(-1) ?? files[high].path,
    high: files[high].file,
    low: low === null || low === undefined ? undefined : files[low].file,
  }));
  return { listed, passedOver };
}
