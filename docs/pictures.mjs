// Makes the README's pictures anew, and the one that the empty page shows: the page in Chromium, with the networks that lie beside
// it. ./build.sh pictures
import { writeFileSync } from "node:fs";
import { byId, open, start, state, stop } from "../tests/e2e/browser.js";

/** The parrot at 3 bits, with the quality over all bits. @param {"light" | "dark"} colorScheme @param {number} height */
async function shown(colorScheme, height) {
  const page = await open("", { firstVisit: true, colorScheme, viewport: { width: 1280, height } });
  await byId(page, "sample-parrot").click();
  await state(page, "done");
  await byId(page, "close-hints").click();
  await byId(page, "fill-quality").click();
  for (const busy of ["enabled", "disabled"]) await page.locator(`[data-testid="cancel"]:${busy}`).waitFor();
  return page;
}

/** The four pictures side by side, as a JPEG. */
const still = (page) =>
  page.evaluate(() => {
    const panes = [...document.querySelectorAll(".pane.shown")].sort((a, b) => a.style.order - b.style.order);
    const pictures = panes.map((pane) => pane.querySelector("canvas"));
    const [{ width, height }] = pictures;
    const canvas = Object.assign(document.createElement("canvas"), { width: pictures.length * width, height });
    for (const [i, picture] of pictures.entries()) canvas.getContext("2d").drawImage(picture, i * width, 0);
    return canvas.toDataURL("image/jpeg", 0.85).split(",")[1];
  });

/** Four methods of different papers, each kept as it is. */
async function others() {
  const kept = [
    "method=min-max&weights=4&activations=4&range-ends=percentile-99.99",
    "method=dfsq&weights=4&activations=4&point-source=apot",
    "method=dfsq&weights=4&activations=4",
    "method=dfsq-opt&weights=4&activations=3",
  ];
  const panes = ["min-max-w4a4", "dfsq-w4a4", "dfsq-w4a4-2", "dfsq-opt-w4a3"];
  const page = await open(`#${new URLSearchParams({ sample: "lighthouse", weights: "3", activations: "3", kept: kept.join(" "), panes: panes.join() })}`, { firstVisit: true, colorScheme: "light", viewport: { width: 1280, height: 860 } });
  await state(page, "done");
  await byId(page, "close-hints").click();
  return page;
}

await start();
const compare = await shown("light", 960);
writeFileSync(new URL("../www/still.jpg", import.meta.url), Buffer.from(await still(compare), "base64"));
const why = await shown("dark", 1050);
await byId(why, "layer-list").selectOption("body.7.conv2");
await byId(why, "figure-histogram").locator("svg").waitFor();
for (const [name, page] of Object.entries({ compare, why, panes: await others() })) {
  const path = new URL(`page-${name}.jpg`, import.meta.url).pathname;
  await page.evaluate((why) => scrollTo(0, why ? scrollY + document.querySelector(".noise").getBoundingClientRect().top - 64 : 0), page === why);
  await page.waitForTimeout(1000); // Until what moves stands still.
  await page.screenshot({ path, type: "jpeg", quality: 90 });
  console.log(path);
}
await stop();
