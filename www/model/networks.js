// The bundled networks: their list, and the files behind it. No DOM.
import { fetched, isKept } from "../engine/downloads.js";

/**
 * @typedef {{file: string, sha256: string, bytes: number}} Listed
 * @typedef {Record<string, {set5: number}>} Scores by method and bits, PSNR on Y in dB
 * @typedef {Listed & {id: string, name: string, scale: number, properties?: Record<string, string>, scores?: Scores, calibration: Listed, optimized: Listed}} Entry
 */

/** What the list of networks says of one. @param {Entry} entry */
export function describe({ name, bytes, scores }) {
  const score = scores?.fp32 ? `, ${scores.fp32.set5.toFixed(2)} dB on Set5` : "";
  return `${name} (${(bytes / 1e6).toFixed(1)} MB${score})`;
}

const urlOf = (/** @type {Listed} */ { file }) => new URL(`../onnx/${file}`, import.meta.url).href;

/** Those of which the browser keeps all files. @param {Entry[]} entries @returns {Promise<Entry[]>} */
export async function keptNetworks(entries) {
  const kept = await Promise.all(entries.map((entry) => Promise.all([entry, entry.calibration, entry.optimized].map((file) => isKept(urlOf(file), file.sha256)))));
  return entries.filter((_, i) => kept[i].every(Boolean));
}

/** @returns {Promise<Entry[]>} */
export async function listNetworks() {
  const response = await fetched(new URL("../onnx/models.json", import.meta.url).href);
  return (await response.json()).networks;
}

/**
 * Fetches a network and what was learned of it, or takes them from the browser's cache; a file that is not the listed one is
 * refused. @param {import("../engine/client.js").Engine} engine that downloads @param {Entry} entry
 * @param {(bytes: number, total: number) => void} onProgress @returns {Promise<import("./bench.js").NetworkFiles>}
 */
export async function fetchNetwork(engine, entry, onProgress = () => {}) {
  const files = [entry, entry.calibration, entry.optimized];
  const done = files.map(() => 0);
  const total = files.reduce((sum, { bytes }) => sum + bytes, 0);
  const [bytes, calibration, optimized] = await Promise.all(
    files.map((file, i) =>
      engine.call("download", [urlOf(file), file.sha256], {
        onProgress: (length) => {
          done[i] = length;
          onProgress(done.reduce((a, b) => a + b), total);
        },
      }),
    ),
  );
  return { network: { bytes, properties: entry.properties }, calibration, optimized };
}
