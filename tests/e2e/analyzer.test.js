// Noise by layer and channel, and a channel in detail: layers, channels and points, in a real Chromium.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { another, byId, drop, open, png, saved, score, start, state, stop } from "./browser.js";

before(start);
after(stop);

/** Opens a picture and waits for all that is drawn of it. */
async function analyzed(hash = "", size = 48) {
  const page = await open(hash);
  await drop(page, await png(page, size, size));
  await state(page, "done");
  for (const figure of ["layers", "heatmap", "channels", "histogram", "universal-set"]) await byId(page, `figure-${figure}`).locator("svg").waitFor();
  await byId(page, "channel-facts").filter({ hasText: "dB" }).waitFor();
  return page;
}

/** Where values of a figure's axes are, from its upper left corner; without a height, half way up. */
const place = (page, id, x, y = undefined) =>
  byId(page, id).evaluate(
    (figure, [x, y]) => {
      const svg = figure.querySelector("svg");
      const [left, right, top, bottom, first, last, low, high] = svg.dataset.plot.split(" ").map(Number);
      const zoom = svg.getBoundingClientRect().width / svg.viewBox.baseVal.width;
      return { x: zoom * (left + ((x - first) / (last - first)) * (right - left)), y: zoom * (bottom - (y === undefined ? 0.5 : (y - low) / (high - low)) * (bottom - top)) };
    },
    [x, y],
  );

/** Waits until a list stands at a value: the page is drawn in the next frame. */
const stands = (page, id, value) => page.waitForFunction(([id, value]) => /** @type {any} */ (document.querySelector(`[data-testid="${id}"]`)).value === value, [id, value]);

const tip = (page) => page.locator("#tip").textContent();
const decibels = (text) => Number(/(-?\d+\.\d) dB/.exec(text)?.[1]);
const facts = (page) => byId(page, "channel-facts").textContent();

test("a cell of the heat map is read out and opened by click and by arrow keys, without another run", async () => {
  const page = await analyzed();
  const { layers } = await page.evaluate(() => ({ layers: [...document.querySelectorAll('[data-testid="layer-list"] option')].map((option) => option.text) }));
  await page.evaluate(() => {
    globalThis.states = [];
    new MutationObserver(() => globalThis.states.push(document.querySelector("main").dataset.state)).observe(document.querySelector("main"), { attributes: true });
  });
  const map = byId(page, "figure-heatmap");
  await map.click({ position: await place(page, "figure-heatmap", 3, 1 - 10.5 / 64) });
  assert.match(await tip(page), new RegExp(`^${layers[3]}, channel 10: `));
  await stands(page, "channel-select", "10");
  assert.equal(await byId(page, "layer-list").evaluate((select) => select.selectedOptions[0].text), layers[3]);
  await map.focus();
  await page.keyboard.press("ArrowRight");
  await page.keyboard.press("ArrowDown");
  assert.match(await tip(page), new RegExp(`^${layers[4]}, channel 11: -?\\d+\\.\\d dB`));
  await stands(page, "channel-select", "11");
  const before = await map.innerHTML();
  await byId(page, "heat-method").locator('input[value="min-max"]').check({ force: true });
  await page.waitForFunction((old) => document.querySelector('[data-testid="figure-heatmap"]').innerHTML !== old, before);
  await byId(page, "figure-layers").click({ position: await place(page, "figure-layers", 7) });
  assert.match(await tip(page), /^body\.\S+\nDFSQ-opt: inputs \d+\.\d dB, weights \d+\.\d dB\nDFSQ: inputs/);
  await page.waitForFunction((name) => document.querySelector('[data-testid="layer-list"]').selectedOptions[0].text === name, layers[7]);
  await byId(page, "channel-facts").filter({ hasText: "Min-max 16 values" }).waitFor();
  assert.deepEqual(await page.evaluate(() => globalThis.states.filter((state) => state === "running")), [], "nothing ran again");
  assert.deepEqual(page.complaints, []);
});

test("a channel is a picture whose values are read out where one clicks", async () => {
  const page = await analyzed();
  // A little right of and below the middle, on whichever side of a pixel's edge that is.
  const { width, height } = await byId(page, "canvas-fp32").boundingBox();
  await byId(page, "canvas-fp32").click({ position: { x: width / 2 + 1, y: height / 2 + 1 } });
  const reading = byId(page, "map-reading").filter({ hasText: "Column 12, row 12" });
  await reading.waitFor();
  const [full, quantized, more] = /: (\S+) in full precision, (\S+) with DFSQ, (\S+) more/.exec(await reading.textContent()).slice(1).map(Number);
  assert.ok(Math.abs(quantized - full - more) < 1e-3, `${full} ${quantized} ${more}`);
  const levels = (id) =>
    byId(page, id).evaluate((canvas) => {
      const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
      return new Set(data.filter((_, i) => i % 4 === 0)).size;
    });
  assert.ok((await levels("map-full")) > 16 && (await levels("map-difference")) > 16);
  assert.ok((await levels("map-quantized")) <= 16, "no more levels than points");
  const transform = () => byId(page, "map-full").evaluate((canvas) => canvas.style.transform);
  const before = await transform();
  await page.locator("#zoom-in").click();
  assert.notEqual(await transform(), before, "the maps follow the pictures");
  assert.deepEqual(page.complaints, []);
});

test("points are read out, dragged, and brought back, and the error follows", async () => {
  const page = await analyzed();
  const own = await facts(page);
  const histogram = byId(page, "figure-histogram");
  await histogram.focus();
  await page.keyboard.press("ArrowRight");
  const words = await tip(page);
  assert.match(words, /^-?[\d.]+ = −?\(.*\) \/ 4: .* shift/);
  assert.match(words, /stands for \S+ % of the values, makes \S+ % of the error/);
  const at = await page.evaluate(() => {
    const svg = document.querySelector('[data-testid="figure-histogram"] svg');
    const [left, right, top, bottom, first, last, low, high] = svg.dataset.plot.split(" ").map(Number);
    const box = svg.getBoundingClientRect();
    const zoom = box.width / svg.viewBox.baseVal.width;
    // The second row of three below 0, where DFSQ's points are.
    const y = box.top + zoom * (bottom - ((low / 2 - low) / (high - low)) * (bottom - top));
    const x = (value) => box.left + zoom * (left + ((value - first) / (last - first)) * (right - left));
    return { y, from: x(Number(document.getElementById("tip").textContent.split(" ")[0])), to: x(0.9) };
  });
  await page.mouse.move(at.from, at.y);
  await page.mouse.down();
  await page.mouse.move((at.from + at.to) / 2, at.y);
  await page.mouse.move(at.to, at.y);
  await page.mouse.up();
  await byId(page, "channel-facts").filter({ hasText: "moved points of DFSQ" }).waitFor();
  const moved = await facts(page);
  const db = (text) => decibels(/DFSQ \d+ values, [^·]*/.exec(text)[0]);
  assert.ok(db(moved) < db(own), `${moved}, not ${own}`);
  assert.ok(await byId(page, "histogram-raw").isVisible());
  const drawn = await histogram.innerHTML();
  await byId(page, "histogram-raw").check();
  await page.waitForFunction((old) => document.querySelector('[data-testid="figure-histogram"]').innerHTML !== old, drawn);
  await byId(page, "reset-points").click();
  await page.waitForFunction((wanted) => document.querySelector('[data-testid="channel-facts"]').textContent === wanted, own);
  assert.ok(await byId(page, "reset-points").isHidden());
  assert.deepEqual(page.complaints, []);
});

test("a kernel's weights and what they are rounded to are drawn and read out", async () => {
  const page = await analyzed();
  const figure = byId(page, "figure-weights");
  await figure.locator("svg").waitFor();
  const drawn = await figure.innerHTML();
  await byId(page, "kernel-select").selectOption("5");
  await page.waitForFunction((old) => document.querySelector('[data-testid="figure-weights"]').innerHTML !== old, drawn);
  await figure.hover({ position: await place(page, "figure-weights", 0) });
  assert.match(await tip(page), /^around -?0.*\n\d+ values, .*\n\S+ % of DFSQ’s squared error$/);
  // The layer after next has a kernel 5 too.
  await byId(page, "layer-list").selectOption({ index: 2 });
  await figure.locator("svg").filter({ hasText: "Weights of kernel 5" }).waitFor();
  assert.equal(await byId(page, "kernel-select").inputValue(), "5");
  await byId(page, "layer-list").selectOption({ index: 0 });
  await byId(page, "channel-facts").filter({ hasText: "16 values" }).waitFor();
  await page.waitForFunction(() => !document.getElementById("why").classList.contains("stale"));
  await byId(page, "how-it-works").click();
  assert.match(await byId(page, "how-example").textContent(), /^body\.0\.conv1, channel 0, .* 16 points:\ny = .*\nq = .*shift.*\nx′ = /);
  await page.keyboard.press("Escape");
  assert.ok(await byId(page, "close-hints").isVisible());
  await byId(page, "close-hints").click();
  assert.ok(await page.locator("#hints").isHidden());
  assert.deepEqual(page.complaints, []);
});

test("behind every figure is a table, which is saved as CSV", async () => {
  const page = await analyzed();
  const table = async (id) => {
    const details = page.locator(`[data-testid="figure-${id}"] + details`);
    await details.locator("summary").click();
    await details.locator("tbody tr").first().waitFor();
    return { heads: await details.locator("thead th").allTextContents(), rows: await details.locator("tbody tr").count() };
  };
  const sizes = {};
  for (const id of ["layers", "heatmap", "channels", "samples", "histogram", "weights", "universal-set", "quality"]) {
    const { heads, rows } = await table(id);
    sizes[id] = [heads.length, rows];
  }
  assert.deepEqual(sizes, { layers: [7, 32], heatmap: [3, 32 * 64], channels: [7, 64], samples: [6, 1], histogram: [6, 128], weights: [6, 128], "universal-set": [5, 48], quality: [4, 5] });
  const { bytes } = await saved(page, "figure-channels-csv");
  const lines = String(bytes).trim().split("\r\n");
  assert.equal(lines.length, 65);
  assert.match(lines[0], /^channel,minimum,/);
  assert.match(lines[1], /^0(,-?[\d.e-]+){6},[0-9a-f]{64},dfsq \d/);
  const view = page.locator(".view", { has: byId(page, "figure-histogram") });
  const narrow = (await view.boundingBox()).width;
  await view.locator(".enlarge").click();
  await page.waitForFunction((old) => document.querySelector('[data-testid="figure-histogram"] svg').getBoundingClientRect().width > 1.5 * old, narrow);
  assert.deepEqual(page.complaints, []);
});

test("channels are sorted by what they lose", async () => {
  const page = await analyzed();
  const figure = byId(page, "figure-channels");
  const read = async (index) => {
    await figure.hover({ position: await place(page, "figure-channels", index) });
    return decibels(await tip(page));
  };
  const drawn = await figure.innerHTML();
  await byId(page, "channel-order").selectOption("error");
  await page.waitForFunction((old) => document.querySelector('[data-testid="figure-channels"]').innerHTML !== old, drawn);
  const [first, middle, last] = [await read(0), await read(32), await read(63)];
  assert.ok(first < middle && middle < last, `${first}, ${middle}, ${last}`);
  await figure.click({ position: await place(page, "figure-channels", 5) });
  const [, channel] = /^channel (\d+):/.exec(await tip(page)) ?? [];
  await stands(page, "channel-select", channel);
  assert.deepEqual(page.complaints, []);
});

test("a layer is left in full precision and quantized again by one switch", async () => {
  const page = await analyzed();
  const before = await score(page, "psnr-min-max");
  await byId(page, "bisect").click();
  assert.equal(await byId(page, "bisect").getAttribute("aria-pressed"), "true");
  const without = await another(page, "psnr-min-max", before);
  await byId(page, "layer-bits").filter({ hasText: "1 set" }).waitFor({ state: "attached" });
  await byId(page, "bisect").click();
  assert.equal(await another(page, "psnr-min-max", without), before);
  assert.deepEqual(page.complaints, []);
});

test("the tray looks at images, puts them elsewhere and closes them", async () => {
  const page = await open();
  await drop(page, await png(page, 48, 48), await png(page, 64, 48));
  await state(page, "done");
  const names = () => byId(page, "tray").locator("li button:first-child").evaluateAll((buttons) => buttons.map((button) => button.title));
  assert.deepEqual(await names(), ["waves-48x48.png", "waves-64x48.png"]);
  await byId(page, "tray").locator("button").first().click();
  await byId(page, "status").filter({ hasText: "waves-48x48" }).waitFor();
  await byId(page, "tray").locator("button").first().focus();
  await page.keyboard.press("Alt+ArrowRight");
  assert.deepEqual(await names(), ["waves-64x48.png", "waves-48x48.png"]);
  // The same one is looked at.
  await stands(page, "sample-select", "1");
  await byId(page, "tray").locator("li").first().hover();
  await byId(page, "tray-remove-0").click();
  await byId(page, "tray-remove-1").waitFor({ state: "detached" });
  assert.deepEqual(await names(), ["waves-48x48.png"]);
  assert.deepEqual(page.complaints, []);
});
