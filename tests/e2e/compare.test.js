// Pictures, scores, modes and exports, in a real Chromium.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { METHODS, another, byId, commandLine, drop, open, painted, png, saved, score, setBits, start, state, stop } from "./browser.js";

before(start);
after(stop);

test("a sample fills four panes and the figures, with the command line's scores", async () => {
  const page = await open();
  await byId(page, "sample-parrot").click();
  await state(page, "done");
  for (const method of [...METHODS, "bicubic"]) {
    // Options that have no effect are refused.
    const bits = ["fp32", "bicubic"].includes(method) ? [] : ["--weight-bits", "4", "--activation-bits", "4"];
    const { images } = commandLine("--method", method, ...bits);
    const { psnr_y, ssim_y } = images.find(({ name }) => name === "parrot");
    assert.ok(Math.abs((await score(page, `psnr-${method}`)) - psnr_y) < 0.01, `${method}: ${psnr_y}`);
    assert.ok(Math.abs((await score(page, `ssim-${method}`)) - ssim_y) < 0.0005, `${method}: ${ssim_y}`);
  }
  for (const method of METHODS) assert.ok(await painted(page, method), method);
  for (const figure of ["channels", "samples", "histogram", "layers", "universal-set"]) {
    await byId(page, `figure-${figure}`).locator("svg").waitFor();
  }
  const four = await score(page, "psnr-dfsq");
  await setBits(page, "weight-bits", 3);
  await another(page, "psnr-dfsq", four);
  const [full, opt, dfsq, minMax] = await Promise.all(METHODS.map((method) => score(page, `psnr-${method}`)));
  assert.ok(full > opt && opt > dfsq && dfsq > minMax, `${full}, ${opt}, ${dfsq}, ${minMax}`);
  assert.deepEqual(page.complaints, []);
});

test("a first visit sees at 3 bits what is lost, where, and why", async () => {
  const page = await open("", { firstVisit: true });
  await byId(page, "sample-parrot").click();
  await state(page, "done");
  const [full, opt, dfsq, minMax] = await Promise.all(METHODS.map((method) => score(page, `psnr-${method}`)));
  const losses = [minMax, dfsq, opt].map((psnr) => (full - psnr).toFixed(1));
  const summary = byId(page, "summary");
  assert.match(await summary.textContent(), new RegExp(`^At 3 bits min-max loses ${losses[0]} dB, DFSQ ${losses[1]} and DFSQ-opt ${losses[2]} on this picture\\. The noise of min-max is strongest in the input of body\\.\\d+\\.conv\\d, above all in channel \\d+\\.$`));
  // The place is framed in all pictures and shown below; the next one is another.
  const place = page.locator("#crops-place");
  await place.filter({ hasText: /^48 × 48 pixels at \d+, \d+, framed above; place 1 of \d+\./ }).waitFor();
  const [x, y] = (await place.textContent()).match(/at (\d+), (\d+)/).slice(1).map(Number);
  const frames = await page.locator(".pane.shown").evaluateAll((panes) =>
    panes.map((pane) => {
      const [frame, canvas] = ["frame", "canvas"].map((name) => pane.querySelector(name === "frame" ? ".frame" : name).getBoundingClientRect());
      return [frame.left - canvas.left, frame.top - canvas.top, frame.width].map((length) => Math.round((length / canvas.width) * 256));
    }),
  );
  assert.deepEqual(frames, Array(4).fill([x, y, 48]));
  await byId(page, "next-place").click();
  await place.filter({ hasText: /place 2 of/ }).waitFor();
  // Its parts lead to where they are shown.
  const channel = (await summary.textContent()).match(/channel (\d+)\.$/)[1];
  await summary.getByRole("button", { name: `channel ${channel}` }).click();
  await page.waitForFunction((wanted) => document.querySelector('[data-testid="channel-select"]').value === wanted, channel);
  assert.ok(await byId(page, "heat-method").locator('input[value="min-max"]').isChecked());
  assert.deepEqual(page.complaints, []);
});

test("bits are switched live, and a setting seen before comes back from the cache", async () => {
  const page = await open();
  await drop(page, await png(page, 64, 64));
  await state(page, "done");
  const four = await score(page, "psnr-dfsq");
  const full = await score(page, "psnr-fp32");
  await setBits(page, "weight-bits", 2);
  assert.ok(await byId(page, "activation-bits").locator('input[value="2"]').isChecked(), "linked");
  await another(page, "psnr-dfsq", four);
  assert.equal(await score(page, "psnr-fp32"), full);
  await state(page, "done");
  await page.evaluate(() => {
    const main = document.querySelector("main");
    const states = (window["states"] = []);
    new MutationObserver(() => states.push(main.dataset.state)).observe(main, { attributeFilter: ["data-state"] });
  });
  await setBits(page, "weight-bits", 4);
  await page.waitForFunction((wanted) => document.querySelector('[data-testid="psnr-dfsq"]').textContent === wanted, four.toFixed(3));
  await state(page, "done");
  assert.ok(!(await page.evaluate(() => window["states"])).includes("running"), "nothing is computed again");
  await page.locator("#link-bits").uncheck();
  await setBits(page, "activation-bits", 32);
  assert.ok(await byId(page, "weight-bits").locator('input[value="4"]').isChecked(), "not linked");
  await state(page, "done");
  assert.deepEqual(page.complaints, []);
});

test("32 bits are full precision", async () => {
  const page = await open("#weights=32&activations=32");
  await drop(page, await png(page, 48, 48));
  await state(page, "done");
  const full = await score(page, "psnr-fp32");
  assert.equal(await score(page, "psnr-dfsq"), full);
  assert.equal(await score(page, "psnr-min-max"), full);
});

test("a run is cancelled and can be started again", async () => {
  const page = await open();
  await byId(page, "sample-lighthouse").click();
  await byId(page, "cancel").click();
  await state(page, "ready");
  const scores = await Promise.all(METHODS.map((method) => byId(page, `psnr-${method}`).textContent()));
  assert.ok(scores.includes("–"), `${scores}`);
  assert.ok(await byId(page, "cancel").isDisabled());
  await byId(page, "run").click();
  await state(page, "done");
  assert.ok((await score(page, "psnr-dfsq")) > 20);
  assert.ok(await byId(page, "error").isHidden());
});

test("everything is reached with the keyboard alone", async () => {
  const page = await open();
  const reach = async (selector, key = "Tab") => {
    for (let i = 0; i < 40; i++) {
      await page.keyboard.press(key);
      if (await page.evaluate((wanted) => document.activeElement?.closest(wanted) !== null, selector)) return;
    }
    assert.fail(`${selector} is not reached`);
  };
  const focus = (id, key) => reach(`[data-testid="${id}"]`, key);
  await focus("sample-parrot");
  await page.keyboard.press("Enter");
  await page.waitForFunction(() => !document.querySelector('[data-testid="cancel"]').disabled);
  await focus("cancel");
  await page.keyboard.press("Enter");
  await state(page, "ready");
  // It lies before the pictures.
  await focus("weight-bits", "Shift+Tab");
  await page.keyboard.press("ArrowRight");
  assert.ok(await byId(page, "weight-bits").locator('input[value="3"]').isChecked());
  await focus("view");
  await page.keyboard.press("ArrowRight");
  assert.ok(await page.locator("[name=view][value=slider]").isChecked());
  await reach(".divider");
  await page.keyboard.press("ArrowLeft");
  assert.equal(await page.locator(".divider").getAttribute("aria-valuenow"), "48");
});

test("a large image gets a region that can be moved, and the whole is offered", async () => {
  const page = await open();
  await drop(page, await png(page, 1600, 1200));
  await byId(page, "cancel").click();
  await state(page, "ready");
  const options = await page.locator("#region-size option").allTextContents();
  assert.match(options.at(-1), /^whole image, (about|too large)/);
  assert.notEqual(await page.locator("#region-size").inputValue(), "whole");
  await page.locator("#region-size").selectOption("128");
  await state(page, "done");
  const before = await score(page, "psnr-fp32");
  await page.locator("crop-picker div").focus();
  await page.keyboard.press("ArrowLeft");
  await another(page, "psnr-fp32", before);
});

test("upscale mode enlarges the image itself and scores against full precision", async () => {
  const page = await open("#mode=upscale&view=slider&left=bicubic&right=fp32");
  await drop(page, await png(page, 40, 32));
  await state(page, "done");
  assert.match(await page.locator("#scores-caption").textContent(), /against the full-precision output/);
  assert.deepEqual(await byId(page, "canvas-fp32").evaluate((c) => [c.width, c.height]), [80, 64]);
  assert.equal(await byId(page, "psnr-fp32").textContent(), "–");
  assert.ok((await score(page, "psnr-dfsq")) > 20);
  assert.deepEqual(await page.locator(".pane.shown").evaluateAll((panes) => panes.map((p) => p.dataset.method).sort()), ["bicubic", "fp32"]);
});

test("results are exported", async () => {
  const page = await open("#view=pair&left=bicubic&right=min-max");
  await drop(page, await png(page, 64, 48));
  await state(page, "done");
  await byId(page, "figure-layers").locator("svg").waitFor();
  const save = (id) => saved(page, id);
  const picture = await save("export-png");
  assert.equal(picture.name, "waves-64x48-min-max.png");
  assert.deepEqual([picture.bytes.readUInt32BE(16), picture.bytes.readUInt32BE(20)], [64, 48]);
  const lines = String((await save("export-csv")).bytes).trim().split("\r\n");
  assert.equal(lines.length, 6);
  assert.ok(lines.some((line) => line.includes("dfsq,3,3,")));
  const report = JSON.parse(String((await save("export-json")).bytes));
  assert.equal(report.channels.length, 64);
  assert.equal(report.results.length, 5);
  assert.match(String(picture.bytes), /iTXtComment.*"program":"dfsq \d.*"method":"min-max"/s);
  const figures = String((await save("export-svg")).bytes);
  assert.match(figures, /^<svg[^>]*>\n<svg y="0"/);
  assert.ok(figures.includes(report.network.sha256), "what it was made of");
  const whole = await save("export-report");
  const other = await page.context().newPage();
  await other.setContent(String(whole.bytes));
  const seen = await other.evaluate(() => ({
    pictures: [...document.images].map((image) => image.naturalWidth),
    figures: document.querySelectorAll("figure > svg").length,
    scores: document.querySelectorAll("table")[0].tBodies[0].rows.length,
    foreign: [...document.querySelectorAll("[src], [href]")].filter((one) => !/^(data:|#)/.test(one.getAttribute("src") ?? one.getAttribute("href") ?? "")).length,
  }));
  assert.deepEqual(seen, { pictures: Array(6).fill(64), figures: 7, scores: 5, foreign: 0 });
  await other.close();
  await byId(page, "share-link").click();
  assert.match(page.url(), /#network=edsr_x2&weights=3&activations=3.*view=pair&left=bicubic&right=min-max/);
});

test("one method that fails says so in its pane, and the others are there", async () => {
  const page = await open("#selection=exhaustive");
  await drop(page, await png(page, 48, 48));
  await state(page, "error");
  await byId(page, "error").filter({ hasText: /^DFSQ: there are .* ways to choose/ }).waitFor();
  assert.match(await page.locator('.pane[data-method="dfsq"] figcaption').textContent(), /ways to choose/);
  for (const method of ["fp32", "dfsq-opt", "min-max", "bicubic"]) assert.ok((await score(page, `psnr-${method}`)) > 10, method);
  await byId(page, "error").locator("button").click();
  await state(page, "done");
  assert.deepEqual(page.complaints, []);
});

test("quality over bits is filled in, and a click on it switches to those bits", async () => {
  const page = await open();
  await drop(page, await png(page, 48, 48));
  await state(page, "done");
  const figure = byId(page, "figure-quality");
  await figure.locator("svg").waitFor();
  await byId(page, "fill-quality").click();
  await page.waitForFunction(() => /** @type {any} */ (document.querySelector('[data-testid="figure-quality"] svg'))?.ariaLabel.match(/bits \d/g)?.length >= 15 && !document.querySelector('[data-testid="figure-quality"] svg').ariaLabel.includes("–"));
  const spoken = await figure.locator("svg").getAttribute("aria-label");
  const { width, height } = await figure.boundingBox();
  await figure.click({ position: { x: 0.2 * width, y: 0.5 * height } });
  await page.waitForFunction(() => document.querySelector('[data-testid="weight-bits"] input[value="2"]').checked);
  await state(page, "done");
  assert.ok(spoken.includes(`DFSQ: 2 bits ${(await score(page, "psnr-dfsq")).toFixed(2)}`), spoken);
  assert.deepEqual(page.complaints, []);
});

test("two pictures are shown as their difference, and every method says how far it is from full precision", async () => {
  const page = await open("#view=difference&left=fp32&right=min-max");
  await drop(page, await png(page, 48, 48));
  await state(page, "done");
  await page.locator("compare-view figcaption", { hasText: "Min-max minus Full precision, × 8" }).waitFor();
  const spread = () =>
    page.evaluate(() => {
      const canvas = /** @type {HTMLCanvasElement} */ (document.querySelector('[data-testid="canvas-difference"]'));
      const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
      return data.reduce((sum, value, i) => (i % 4 === 3 ? sum : sum + Math.abs(value - 128)), 0);
    });
  const eight = await spread();
  await byId(page, "gain").selectOption("16");
  assert.ok(eight > 0 && (await spread()) > 1.3 * eight);
  for (const method of ["dfsq-opt", "min-max", "bicubic"]) {
    const shown = await score(page, `full-${method}`);
    const expected = await page.evaluate(psnrOfCanvases, ["fp32", method]);
    assert.ok(Math.abs(shown - expected) < 0.01, `${method}: ${shown}, not ${expected}`);
  }
  assert.equal(await byId(page, "full-fp32").textContent(), "–");
  assert.deepEqual(page.complaints, []);
});

/** In the page: PSNR on luma of two canvases, without a border of 2 pixels. */
function psnrOfCanvases(methods) {
  const [a, b] = methods.map((method) => {
    const canvas = /** @type {HTMLCanvasElement} */ (document.querySelector(`[data-testid="canvas-${method}"]`));
    return canvas.getContext("2d").getImageData(2, 2, canvas.width - 4, canvas.height - 4).data;
  });
  let squares = 0;
  for (let at = 0; at < a.length; at += 4) {
    squares += ((65.481 * (a[at] - b[at]) + 128.553 * (a[at + 1] - b[at + 1]) + 24.966 * (a[at + 2] - b[at + 2])) / 255) ** 2;
  }
  return 10 * Math.log10(255 ** 2 / (squares / (a.length / 4)));
}

test("a click on a picture shows that place of all of them, to be saved", async () => {
  const page = await open();
  await drop(page, await png(page, 64, 64));
  await state(page, "done");
  await page.locator("compare-view .pane.shown .area").nth(1).click();
  await byId(page, "crops-canvas").waitFor();
  await byId(page, "crop-side").selectOption("32");
  const label = await byId(page, "crops-canvas").getAttribute("aria-label");
  assert.match(label, /^Reference PSNR \/ SSIM, Bicubic [\d.]+ dB \/ 0\.\d+, Full precision/);
  // The middle of the third crop is the middle of the full-precision picture.
  const same = await page.evaluate(() => {
    const pixel = (/** @type {string} */ id, /** @type {number} */ x, /** @type {number} */ y) => [...document.querySelector(`[data-testid="${id}"]`).getContext("2d").getImageData(x, y, 1, 1).data];
    const zoom = Math.ceil(240 / 32);
    return [pixel("crops-canvas", 2 * (32 * zoom + 12) + 16 * zoom, 16 * zoom), pixel("canvas-fp32", 32, 32)];
  });
  assert.deepEqual(same[0], same[1]);
  for (const [id, start] of [["crops-svg", "<svg"], ["crops-png", "\x89PNG"]]) {
    const { bytes } = await saved(page, id);
    assert.ok(bytes.toString("latin1").startsWith(start), id);
  }
  assert.deepEqual(page.complaints, []);
});

test("on a telephone one picture after another is swiped to", async () => {
  const page = await open("", { viewport: { width: 390, height: 800 }, hasTouch: true, isMobile: true });
  await drop(page, await png(page, 64, 48));
  await state(page, "done");
  const lefts = () => page.locator("compare-view .pane.shown").evaluateAll((panes) => panes.map((pane) => Math.round(pane.getBoundingClientRect().left)).sort((a, b) => a - b));
  const before = await lefts();
  assert.equal(before.length, 4);
  assert.ok(before.every((left, i) => i === 0 || left - before[i - 1] > 300), `${before}`);
  assert.ok(before[1] < 390, "the next one shows its edge");
  const touch = await page.context().newCDPSession(page);
  const box = await page.locator("compare-view").boundingBox();
  const swipe = async (dx, dy) => {
    const at = (share) => [{ x: box.x + box.width / 2 + dx * (share - 0.5), y: box.y + box.height / 2 + dy * (share - 0.5) }];
    await touch.send("Input.dispatchTouchEvent", { type: "touchStart", touchPoints: at(0) });
    for (let step = 1; step <= 10; step++) await touch.send("Input.dispatchTouchEvent", { type: "touchMove", touchPoints: at(step / 10) });
    await touch.send("Input.dispatchTouchEvent", { type: "touchEnd", touchPoints: [] });
  };
  await swipe(-280, 0);
  await page.waitForFunction(() => [...document.querySelectorAll("compare-view .pane.shown")].some((pane) => pane.getBoundingClientRect().left < -200));
  assert.equal(await page.evaluate(() => scrollY), 0);
  // The pictures do not hold the page.
  await swipe(0, -250);
  await page.waitForFunction(() => scrollY > 100);
  assert.equal(await page.locator("#zoom-level").textContent(), "fit");
  assert.deepEqual(page.complaints, []);
});

test("scripts of others are not run, and nothing is asked of another place", async () => {
  const page = await open();
  const asked = [];
  page.on("request", (request) => asked.push(request.url()));
  await drop(page, { ...(await png(page, 48, 48)), name: "<img src=x onerror=alert(1)>.png" });
  await state(page, "done");
  assert.equal(await byId(page, "tray").locator("button").first().getAttribute("title"), "<img src=x onerror=alert(1)>.png");
  assert.equal(await page.locator("img[src=x]").count(), 0);
  const origin = new URL(page.url()).origin;
  assert.deepEqual(asked.filter((url) => !url.startsWith(origin) && !url.startsWith("blob:") && !url.startsWith("data:")), []);
  assert.deepEqual(page.complaints, []);
  // A script that got in anyway is refused by the policy.
  await page.evaluate(() => {
    const script = document.createElement("script");
    script.textContent = "document.title = 'taken over'";
    document.body.append(script);
  });
  assert.notEqual(await page.title(), "taken over");
  assert.ok(page.complaints.some((text) => text.includes("Content Security Policy")));
});

test("the wheel scrolls the page, and zooms with Ctrl or after a click into the pictures", async () => {
  const page = await open();
  await byId(page, "sample-parrot").click();
  await state(page, "done");
  const level = () => page.locator("#zoom-level").textContent();
  const box = await page.locator("compare-view").boundingBox();
  const [x, y] = [box.x + 200, box.y + 100];
  await page.mouse.move(x, y);
  await page.mouse.wheel(0, 200);
  await page.waitForFunction(() => scrollY > 100);
  assert.equal(await level(), "fit");
  await page.evaluate(() => scrollTo(0, 0));
  await page.keyboard.down("Control");
  await page.mouse.wheel(0, -200);
  await page.keyboard.up("Control");
  await page.waitForFunction(() => document.querySelector("#zoom-level").value !== "fit");
  await page.locator("#zoom-fit").click();
  await page.mouse.click(x, y);
  await page.mouse.move(x, y);
  await page.mouse.wheel(0, -200);
  await page.waitForFunction(() => document.querySelector("#zoom-level").value !== "fit");
  assert.equal(await page.evaluate(() => scrollY), 0);
});

test("what is selected in the table of scores stays, and a change of bits is announced once", async () => {
  const page = await open();
  await byId(page, "sample-parrot").click();
  await state(page, "done");
  await page.evaluate(() => {
    const heard = /** @type {string[]} */ ((globalThis.heard = []));
    new MutationObserver(() => heard.push(document.querySelector("#spoken")?.textContent ?? "")).observe(document.querySelector("#spoken"), { childList: true, characterData: true, subtree: true });
    getSelection()?.selectAllChildren(document.querySelector('[data-testid="psnr-fp32"]'));
  });
  const selected = await score(page, "psnr-fp32");
  const before = await score(page, "psnr-dfsq");
  await setBits(page, "weight-bits", 3);
  await another(page, "psnr-dfsq", before);
  assert.equal(Number(await page.evaluate(() => String(getSelection()))), selected);
  const map = await byId(page, "heat-map").or(page.locator("#heat-map")).first().boundingBox();
  for (let i = 1; i < 20; i++) await page.mouse.move(map.x + (map.width * i) / 20, map.y + map.height / 2);
  const heard = await page.evaluate(() => globalThis.heard);
  assert.deepEqual(heard.filter(Boolean), ["Done: parrot.png, 256 × 256"]);
  for (const id of ["tip", "status"]) assert.equal(await page.locator(`#${id}`).getAttribute("role"), null);
});
