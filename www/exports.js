// Files made of results.
import { totalBytes } from "./costs.js";
import { WIDTHS } from "./laboratory.js";
import { METHOD_NAMES, NETWORK_METHODS } from "./plan.js";

/** @typedef {import("./laboratory.js").Laboratory} Laboratory */

/** Hands a file to the user. @param {string} name @param {BlobPart} content @param {string} type */
export function download(name, content, type) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([content], { type }));
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}

/** @param {Laboratory} laboratory */
function rows(laboratory) {
  const { settings, samples } = laboratory;
  const mixed = Object.keys(settings.layerBits).length > 0;
  const bits = (/** @type {number} */ own) => (mixed ? "mixed" : own);
  return samples.flatMap((sample) =>
    ["bicubic", ...NETWORK_METHODS].flatMap((method) => {
      const result = laboratory.result(method, sample);
      if (!result) return [];
      const quantized = NETWORK_METHODS.includes(method) && method !== "fp32";
      return [
        {
          image: sample.name,
          region: sample.region,
          mode: settings.mode,
          against: settings.mode === "benchmark" ? "reference" : "fp32",
          method,
          weightBits: quantized ? bits(settings.weightBits) : 32,
          activationBits: quantized ? bits(settings.activationBits) : 32,
          psnrY: result.score?.psnrY ?? null,
          ssimY: result.score?.ssimY ?? null,
          seconds: result.seconds ?? null,
          modelBytes: result.costs ? totalBytes(result.costs) : method === "bicubic" ? 0 : null,
          bitOpsPerPixel: result.costs?.bitOpsPerPixel ?? null,
          costs: result.costs,
          options: laboratory.options(method),
          layerDb: result.layerDb && quantized ? [...result.layerDb] : undefined,
        },
      ];
    }),
  );
}

/** One line for each sample and method at the present settings. @param {Laboratory} laboratory */
export function scoresCsv(laboratory) {
  const columns = /** @type {const} */ (["image", "mode", "against", "method", "weightBits", "activationBits", "psnrY", "ssimY", "seconds", "modelBytes", "bitOpsPerPixel"]);
  const quote = (/** @type {unknown} */ value) => (/[",\n]/.test(String(value)) ? `"${String(value).replaceAll('"', '""')}"` : String(value ?? ""));
  const lines = rows(laboratory).map((row) => columns.map((column) => quote(row[column])).join(","));
  return [columns.join(","), ...lines, ""].join("\r\n");
}

/** Settings, network, scores, and the chosen layer's distributions. @param {Laboratory} laboratory @param {number} layer */
export async function reportJson(laboratory, layer) {
  const { info, settings, active } = laboratory;
  const known = laboratory.activeIsAnalyzed && !laboratory.engines.fp32.busy;
  const channels = known ? await laboratory.engines.fp32.call("distributions", [active, layer]) : [];
  const report = {
    network: info,
    settings,
    methods: METHOD_NAMES,
    results: rows(laboratory),
    layerBits: info && Object.fromEntries(laboratory.layerBits().flatMap((bits, i) => (info.layers[i].quantized ? [[info.layers[i].name, bits]] : []))),
    layerErrors: laboratory.layerErrors && { widths: WIDTHS, layers: laboratory.layerErrors },
    layer: info?.layers[layer]?.name,
    channels,
  };
  return JSON.stringify(report, null, 1);
}

/** All figures below each other in one file. @param {string[]} figures */
export function figuresFile(figures) {
  let top = 0;
  let widest = 0;
  const parts = figures.map((text) => {
    const [width, height] = ["width", "height"].map((name) => Number(new RegExp(`<svg[^>]*? ${name}="(\\d+)"`).exec(text)?.[1]));
    const part = text.replace("<svg ", `<svg y="${top}" `);
    top += height;
    widest = Math.max(widest, width);
    return part;
  });
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${widest}" height="${top}" viewBox="0 0 ${widest} ${top}">\n${parts.join("\n")}\n</svg>\n`;
}
