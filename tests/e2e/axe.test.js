// What axe-core finds wrong for people who see, hear or move otherwise, in a real Chromium.
import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { after, before, test } from "node:test";
import { byId, drop, open, openDrawer, png, start, state, stop } from "./browser.js";

before(start);
after(stop);

const AXE = createRequire(import.meta.url).resolve("axe-core/axe.min.js");

async function violations(page) {
  const found = await page.evaluate(async () => /** @type {any} */ (globalThis).axe.run(document, { resultTypes: ["violations"] }));
  return found.violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ target }) => target.join(" ")).join(", ")}`);
}

for (const colorScheme of ["light", "dark"]) {
  test(`axe finds nothing in the ${colorScheme} theme: empty, with a picture, with the drawer, and how it works`, async () => {
    const page = await open("", { colorScheme, bypassCSP: true });
    await page.addScriptTag({ path: AXE });
    assert.deepEqual(await violations(page), []);
    await drop(page, await png(page, 48, 48), await png(page, 64, 48));
    await state(page, "done");
    for (const figure of ["heatmap", "histogram", "weights", "quality"]) await byId(page, `figure-${figure}`).locator("svg").waitFor();
    await page.locator("compare-view .pane.shown .area").first().click();
    await byId(page, "crops-canvas").waitFor();
    await page.locator("#network-properties summary").click();
    assert.deepEqual(await violations(page), []);
    await openDrawer(page);
    for (const panel of ["#details", "#layer-bits", "#costs-panel"]) await page.locator(`${panel} summary`).click();
    assert.deepEqual(await violations(page), []);
    await page.keyboard.press("Escape");
    await byId(page, "how-it-works").click();
    assert.deepEqual(await violations(page), []);
  });
}

test("no width from 360 to 2560 pixels scrolls sideways, nor do the scores from 901 on", async () => {
  const page = await open();
  await drop(page, await png(page, 64, 48));
  await state(page, "done");
  await page.locator("compare-view .pane.shown .area").first().click();
  await page.locator("details").evaluateAll((all) => all.forEach((details) => details.toggleAttribute("open", true)));
  const fits = (selector) => page.locator(selector).evaluate((element) => element.scrollWidth <= element.clientWidth);
  for (const width of [360, 390, 480, 768, 901, 1180, 1280, 1366, 1440, 2200, 2560]) {
    await page.setViewportSize({ width, height: 900 });
    assert.ok(await fits("html"), `the page, ${width} pixels`);
    if (width > 900) assert.ok(await fits(".results .table-frame"), `the scores, ${width} pixels`);
  }
});
