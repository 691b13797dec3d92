// What bundle.mjs puts into the scripts.

/** By program, the names in assets/ of its worker's script and of its WebAssembly. */
declare const PROGRAM_FILES: Record<string, { worker: string; wasm: string }>;

/** Of the page, a hash of all its files. */
declare const VERSION: string;

/** Addresses of what every visit needs. */
declare const FILES: string[];
