// The page's main ways, in a real Firefox.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { after, before, test } from "node:test";
import puppeteer from "puppeteer-core";
import { METHODS } from "./browser.js";
import { host } from "./host.js";

let served;
let browser;

before(async () => {
  served = await host("site", { under: "/dfsq/" });
  browser = await puppeteer.launch({ browser: "firefox", executablePath: process.env.FIREFOX ?? "/usr/bin/firefox-esr", headless: true, timeout: 60_000 });
});

after(async () => {
  await browser?.close();
  served?.stop();
});

/** The page in a new tab, with a hash or of another server. */
async function open(address = "") {
  const page = await browser.newPage();
  const complaints = [];
  page.setDefaultTimeout(120_000);
  page.on("pageerror", (error) => complaints.push(error.message));
  page.on("console", (message) => message.type() === "error" && complaints.push(message.text()));
  await page.setViewport({ width: 1280, height: 900 });
  await page.goto(String(new URL(address, served.address)));
  await state(page, "ready");
  return { page, complaints };
}

const state = (page, ...wanted) => page.waitForFunction((states) => states.includes(document.querySelector("main").dataset.state), {}, wanted);
const text = (page, id) => page.$eval(`[data-testid="${id}"]`, (element) => element.textContent);
const shows = (page, id, pattern) => page.waitForFunction((name, source) => new RegExp(source).test(document.querySelector(`[data-testid="${name}"]`)?.textContent ?? ""), {}, id, pattern);

async function dropSample(page, name) {
  const base64 = readFileSync(new URL(`../../www/samples/${name}.png`, import.meta.url)).toString("base64");
  await page.evaluate(
    (name, base64) => {
      const data = new DataTransfer();
      data.items.add(new File([Uint8Array.from(atob(base64), (c) => c.charCodeAt(0))], name, { type: "image/png" }));
      document.body.dispatchEvent(new DragEvent("drop", { dataTransfer: data, bubbles: true, cancelable: true }));
    },
    `${name}.png`,
    base64,
  );
}

test("a dropped picture fills panes and figures, and bits are switched", async () => {
  const { page, complaints } = await open();
  await dropSample(page, "lighthouse");
  await state(page, "done");
  const four = await Promise.all(METHODS.map((method) => text(page, `psnr-${method}`)));
  const distance = await text(page, "full-dfsq");
  for (const score of four) assert.match(score, /^\d\d\.\d+$/);
  for (const figure of ["layers", "heatmap", "channels", "histogram", "weights", "universal-set", "samples", "quality"]) await page.waitForSelector(`[data-testid="figure-${figure}"] svg`);
  await page.$eval('[data-testid="weight-bits"] input[value="2"]', (input) => input.click());
  await page.waitForFunction((known) => !["–", known].includes(document.querySelector('[data-testid="psnr-dfsq"]').textContent), {}, four[METHODS.indexOf("dfsq")]);
  await state(page, "done");
  const two = await text(page, "full-dfsq");
  assert.ok(Number(two) < Number(distance), `${two} dB to full precision with 2 bits, ${distance} with 3`);
  assert.deepEqual(complaints, []);
  await page.close();
});

test("a run is cancelled and started again, and what is no image is refused", async () => {
  const { page, complaints } = await open();
  await dropSample(page, "parrot");
  await state(page, "running");
  await page.$eval('[data-testid="cancel"]', (button) => button.click());
  await state(page, "ready");
  await page.$eval('[data-testid="run"]', (button) => button.click());
  await state(page, "done");
  await page.evaluate(() => {
    const data = new DataTransfer();
    data.items.add(new File(["words"], "words.png", { type: "image/png" }));
    document.body.dispatchEvent(new DragEvent("drop", { dataTransfer: data, bubbles: true, cancelable: true }));
  });
  await shows(page, "error", "^words\\.png: ");
  assert.match(await text(page, "psnr-dfsq"), /^\d\d\.\d+$/, "what was there stays");
  assert.deepEqual(complaints, []);
  await page.close();
});

test("a cell of the heat map opens its layer and channel, whose picture is shown", async () => {
  const { page, complaints } = await open("#view=slider&left=bicubic&right=dfsq-opt");
  await dropSample(page, "bikes");
  await state(page, "done");
  await page.waitForSelector('[data-testid="figure-heatmap"] svg');
  await page.focus('[data-testid="figure-heatmap"]');
  await page.keyboard.press("ArrowRight");
  await page.keyboard.press("ArrowDown");
  await page.waitForFunction(() => /** @type {any} */ (document.querySelector('[data-testid="channel-select"]')).value === "1");
  await shows(page, "channel-facts", "DFSQ \\d+ values");
  await page.waitForFunction(() => /** @type {any} */ (document.querySelector('[data-testid="map-full"]')).width > 1);
  assert.deepEqual(complaints, []);
  await page.close();
});

test("a tab goes on after an update of the site", async () => {
  const own = await host("site", { under: "/dfsq/" });
  const { page, complaints } = await open(own.address);
  await dropSample(page, "parrot");
  await state(page, "done");
  const before = await text(page, "psnr-dfsq");
  own.update();
  await page.$eval('[data-testid="weight-bits"] input[value="2"]', (input) => input.click());
  await page.waitForFunction((known) => !["–", known].includes(document.querySelector('[data-testid="psnr-dfsq"]').textContent), {}, before);
  await state(page, "done");
  assert.deepEqual(complaints, []);
  own.stop();
});
