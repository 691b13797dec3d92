// Files of known content, in a worker: fetched with progress, checked, and kept by the browser for the next time.

const CACHE = "dfsq-downloads";

/** The address of these contents: another list's file is another address, whatever caches lie between. @param {string} url @param {string} sha256 */
const addressOf = (url, sha256) => `${url}?sha256=${sha256}`;

/** Without a secure context there is no cache, and some browsers refuse it in private windows. */
const opened = async () => globalThis.caches?.open(CACHE).catch(() => undefined);

/** Whether the browser keeps a file. @param {string} url @param {string} sha256 */
export async function isKept(url, sha256) {
  return Boolean(await (await opened())?.match(addressOf(url, sha256)));
}

/**
 * @param {string} url @param {string} sha256 in hexadecimal @param {(bytes: Uint8Array) => string} hash
 * @param {(bytes: number) => void} onProgress
 */
export async function download(url, sha256, hash, onProgress) {
  const [cache, address] = [await opened(), addressOf(url, sha256)];
  const kept = await cache?.match(address);
  if (kept) return new Uint8Array(await kept.arrayBuffer());
  const bytes = await fetchBytes(address, onProgress);
  if (hash(bytes) !== sha256) throw new Error("the file is damaged: it is not the one that is listed");
  // What was listed under this address before is of no more use.
  await cache?.delete(url, { ignoreSearch: true });
  await cache?.put(address, new Response(/** @type {BodyInit} */ (bytes))).catch(() => {});
  return bytes;
}

/** What the server has under an address; an error in words where it has nothing. @param {string} url */
export async function fetched(url) {
  const name = url.split(/[?#]/)[0].split("/").at(-1);
  const response = await fetch(url).catch(() => {
    throw new Error(`${name} could not be fetched: is there a network?`);
  });
  if (!response.ok) throw new Error(`${name} could not be loaded (${response.status}); if the site was updated, reload the page`);
  return response;
}

/** @param {string} url @param {(bytes: number) => void} [onProgress] */
export async function fetchBytes(url, onProgress) {
  const response = await fetched(url);
  if (!response.body) throw new Error(`${url} is empty`);
  const chunks = [];
  let length = 0;
  const reader = response.body.getReader();
  for (let { done, value } = await reader.read(); !done && value; { done, value } = await reader.read()) {
    chunks.push(value);
    length += value.length;
    onProgress?.(length);
  }
  return new Uint8Array(await new Blob(/** @type {BlobPart[]} */ (chunks)).arrayBuffer());
}
