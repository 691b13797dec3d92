// Relative, so that it can lie anywhere; and dfsq as it is while developing, since its workers lie beside it.
export default { base: "./", worker: { format: "es" }, optimizeDeps: { exclude: ["dfsq"] } };
