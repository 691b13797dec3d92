// A benchmark's results as text for spreadsheets and papers. No DOM.
import { csvLine } from "./csv.js";
import { METHOD_NAMES } from "./plan.js";

/** @typedef {import("./benchmark.js").Benchmark} Benchmark */

const number = (/** @type {number | undefined} */ value, /** @type {number} */ digits) => (value === undefined || Number.isNaN(value) ? "" : value.toFixed(digits));

/** One line for each image and setting. @param {Benchmark} benchmark @param {{network?: {sha256: string}, program: string}} made */
export function csv(benchmark, { network, program }) {
  const lines = benchmark.images.flatMap((image) =>
    benchmark.settings.flatMap((setting) => {
      const measured = benchmark.measured(image, setting);
      if (!measured) return [];
      const { score, toFull } = measured;
      return [csvLine([image.name, setting.method, setting.bits, number(score.psnrY, 4), number(score.ssimY, 5), number(toFull?.psnrY, 4), network?.sha256, program])];
    }),
  );
  return ["image,method,bits,psnrY,ssimY,psnrToFull,networkSha256,program", ...lines, ""].join("\r\n");
}

/** The table of means. @param {Benchmark} benchmark @param {{network?: {sha256: string}, program: string}} made */
export function markdown(benchmark, { network, program }) {
  const rows = benchmark.rows.map(({ method, bits, psnrY, ssimY, toFull }) => `| ${METHOD_NAMES[method]} | ${bits ?? "–"} | ${number(psnrY, 2)} | ${number(ssimY, 4)} | ${number(toFull, 2) || "–"} |`);
  return ["| Method | Bits | PSNR, dB | SSIM | To FP32, dB |", "|---|--:|--:|--:|--:|", ...rows, "", `${benchmark.measuredImages} images; network ${network?.sha256}; ${program}`, ""].join("\n");
}

/** The same with methods below each other and widths side by side, as in the paper. @param {Benchmark} benchmark @param {{network?: {sha256: string}, program: string}} made */
export function latex(benchmark, { network, program }) {
  const { rows, widths } = benchmark;
  const scores = (/** @type {import("./benchmark.js").Row} */ row) => `${number(row.psnrY, 2)} / ${number(row.ssimY, 4)}`;
  const cell = (/** @type {string} */ method, /** @type {number | undefined} */ bits) => {
    const row = rows.find((one) => one.method === method && one.bits === bits && !one.chosen);
    return row ? scores(row) : "--";
  };
  const single = ["bicubic", "fp32"].map((method) => `${METHOD_NAMES[method]} & \\multicolumn{${widths.length}}{c}{${cell(method, undefined)}} \\\\`);
  const quantized = ["min-max", "dfsq", "dfsq-opt"].map((method) => `${METHOD_NAMES[method]} & ${widths.map((bits) => cell(method, bits)).join(" & ")} \\\\`);
  const kept = rows.filter(({ chosen }) => chosen).map((row) => `${METHOD_NAMES[row.method]} ${row.bits} & \\multicolumn{${widths.length}}{c}{${scores(row)}} \\\\`);
  return [
    `% ${benchmark.measuredImages} images; network ${network?.sha256}; ${program}; PSNR in dB / SSIM on Y`,
    `\\begin{tabular}{l${"c".repeat(widths.length)}}`,
    "\\toprule",
    `Method & ${widths.map((bits) => `W${bits}A${bits}`).join(" & ")} \\\\`,
    "\\midrule",
    ...single,
    ...quantized,
    ...kept,
    "\\bottomrule",
    "\\end{tabular}",
    "",
  ].join("\n");
}
