// What the page needs of a browser, and what it may take.

/** A module with one function: `i32.const 0; i8x16.splat`. */
const VECTORS = [0, 97, 115, 109, 1, 0, 0, 0, 1, 5, 1, 96, 0, 1, 123, 3, 2, 1, 0, 10, 8, 1, 6, 0, 65, 0, 253, 15, 11];

/** In words, what this browser lacks; nothing where it can run the page. @returns {string | undefined} */
export function lacking() {
  const missing = [
    ...(WebAssembly.validate(new Uint8Array(VECTORS)) ? [] : ["WebAssembly with 128-bit vectors"]),
    ...(CSS.supports("color", "light-dark(#000, #fff)") ? [] : ["colours for light and dark"]),
  ];
  return missing.length ? `This browser lacks ${missing.join(" and ")}: Chrome or Edge 123, Firefox 120, Safari 17.5, or a later one has it.` : undefined;
}

/** Bytes that each of so many workers may take: of the 4 GiB that its wasm can address, and of the machine's memory, which most browsers do not tell. @param {number} workers */
export function workerMemory(workers) {
  const { deviceMemory = 8 } = /** @type {{deviceMemory?: number}} */ (globalThis.navigator ?? {});
  return Math.min(3.2e9, (deviceMemory * 2 ** 30) / workers);
}
