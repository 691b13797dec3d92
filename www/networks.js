// The bundled networks: their list, and the files behind it. No DOM.

/** @typedef {{id: string, name: string, file: string, sha256: string, bytes: number, calibration: string}} Entry */

/** @returns {Promise<Entry[]>} */
export async function listNetworks() {
  return JSON.parse(new TextDecoder().decode(await fetchBytes("onnx/models.json"))).networks;
}

/** Fetches a network and its calibration; a file that is not the listed one is refused. @param {Entry} entry @param {(done: number) => void} [onProgress] */
export async function fetchNetwork({ file, calibration, sha256 }, onProgress) {
  const [bytes, points] = await Promise.all([fetchBytes(`onnx/${file}`, onProgress), fetchBytes(`onnx/${calibration}`)]);
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
  const hash = [...digest].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  if (hash !== sha256) throw new Error("the file is damaged: it is not the network that is listed");
  return { bytes, calibration: points };
}

/** @param {string} url @param {(done: number) => void} [onProgress] */
export async function fetchBytes(url, onProgress) {
  const response = await fetch(url);
  if (!response.ok || !response.body) throw new Error(`${url} could not be loaded (${response.status})`);
  const total = Number(response.headers.get("Content-Length")) || 0;
  const chunks = [];
  let length = 0;
  const reader = response.body.getReader();
  for (let { done, value } = await reader.read(); !done && value; { done, value } = await reader.read()) {
    chunks.push(value);
    length += value.length;
    if (total) onProgress?.(length / total);
  }
  return new Uint8Array(await new Blob(/** @type {BlobPart[]} */ (chunks)).arrayBuffer());
}
