// The present view as one HTML file that needs nothing else.
import { provenance } from "../model/provenance.js";
import { dark } from "./dom.js";
import { pngAddress } from "./png.js";

/** @typedef {import("../model/bench.js").Bench} Bench */

const STYLE = `
body { font: 15px/1.45 system-ui, sans-serif; max-width: 1200px; margin: 24px auto; padding: 0 16px; color: CanvasText; background: Canvas; }
figure { margin: 0; } .pictures { display: grid; grid-template-columns: repeat(auto-fill, minmax(260px, 1fr)); gap: 10px; }
img, svg { max-width: 100%; height: auto; } table { border-collapse: collapse; font-variant-numeric: tabular-nums; margin: 16px 0; }
th, td { padding: 3px 10px; text-align: right; border-top: 1px solid #8886; white-space: pre-line; } th:first-child { text-align: left; }
caption { text-align: left; opacity: 0.75; } pre { white-space: pre-wrap; overflow-wrap: anywhere; font-size: 12px; }`;

/** @template {keyof HTMLElementTagNameMap} K @param {Document} page @param {ParentNode} into @param {K} name @param {string} [text] */
function add(page, into, name, text) {
  const made = page.createElement(name);
  if (text) made.textContent = text;
  into.append(made);
  return made;
}

/** @param {Bench} bench @param {string[]} figures SVG texts @param {HTMLTableElement[]} tables of the page that are shown as they are */
export async function reportHtml(bench, figures, tables) {
  const { contenders, samples, scheduler } = bench;
  const results = contenders.ids.flatMap((id) => {
    const result = scheduler.result(id);
    return result ? [{ name: contenders.title(id), picture: result.picture, score: scheduler.score(id)?.psnrY }] : [];
  });
  const addresses = await Promise.all(results.map(({ picture }) => pngAddress(bench.engines.images, picture)));
  const page = document.implementation.createHTMLDocument(`dfsq: ${samples.current?.name}`);
  page.documentElement.lang = "en";
  const charset = page.createElement("meta");
  charset.setAttribute("charset", "utf-8");
  page.head.prepend(charset);
  // As the page is, whose figures it has.
  add(page, page.head, "style", `:root { color-scheme: ${dark.matches ? "dark" : "light"}; }${STYLE}`);
  add(page, page.body, "h1", `${samples.current?.name}`);
  const pictures = add(page, page.body, "div");
  pictures.className = "pictures";
  for (const [index, { name, score }] of results.entries()) {
    const figure = add(page, pictures, "figure");
    Object.assign(add(page, figure, "img"), { src: addresses[index], alt: name });
    add(page, figure, "figcaption", score === undefined ? name : `${name}, ${score.toFixed(2)} dB`);
  }
  for (const table of tables) if (table.tBodies[0]?.rows.length) page.body.append(page.importNode(table, true));
  for (const text of figures) {
    const svg = new DOMParser().parseFromString(text, "image/svg+xml").documentElement;
    add(page, page.body, "figure").append(page.importNode(svg, true));
  }
  add(page, page.body, "h2", "Made by");
  add(page, page.body, "pre", JSON.stringify(provenance(bench), null, 1));
  return `<!doctype html>\n${page.documentElement.outerHTML}\n`;
}
