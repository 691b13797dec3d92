// Serves the page, starts a Chromium, and speaks of the page in the user's words.
import assert from "node:assert/strict";
import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { chromium } from "playwright-core";

const root = new URL("../../", import.meta.url);
const FLAGS = ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"];

export const METHODS = ["fp32", "dfsq-opt", "dfsq", "min-max"];

export const file = (relative) => readFile(new URL(relative, root));

let server;
let browser;

/** Serves the page: its address, and how to stop. */
export async function serve() {
  const process = spawn(fileURLToPath(new URL("build.sh", root)), ["serve"], { stdio: ["ignore", "pipe", "inherit"] });
  return { address: String((await once(process.stdout, "data"))[0]).trim(), stop: () => process.kill() };
}

export async function start() {
  server = await serve();
  browser = await chromium.launch({ executablePath: process.env.BROWSER ?? "/usr/bin/chromium", args: FLAGS });
}

export async function stop() {
  await browser?.close();
  server?.stop();
}

/** The page in a fresh tab, of another server or with a hash, with what its console said wrong. */
export async function open(address = "", context = {}) {
  const page = await tab(context);
  await visit(page, address);
  return page;
}

/** A fresh tab, still empty. */
export async function tab({ firstVisit = false, ...context } = {}) {
  // Tests that stand between the page and its server would not see what a service worker asks for.
  const defaults = { viewport: { width: 1280, height: 900 }, acceptDownloads: true, serviceWorkers: "block" };
  const page = await (await browser.newContext({ ...defaults, ...context })).newPage();
  page.complaints = [];
  // At another visit, bits are those that most tests speak of.
  if (!firstVisit) {
    await page.addInitScript(() => {
      if (location.protocol !== "about:" && !localStorage.getItem("dfsq")) localStorage.setItem("dfsq", "weights=4&activations=4");
    });
  }
  // Generous, since machines that run tests are often busy with more than that.
  page.setDefaultTimeout(120_000);
  page.on("pageerror", (error) => page.complaints.push(error.message));
  page.on("console", (message) => message.type() === "error" && page.complaints.push(message.text()));
  return page;
}

/** Opens the page in a tab, and waits for it to be at work, or in another state. */
export async function visit(page, address, ...states) {
  await page.goto(String(new URL(address, server.address)));
  await state(page, ...(states.length ? states : ["ready", "running", "done"]));
}

export const byId = (page, id) => page.locator(`[data-testid="${id}"]`);

/** Chooses bits of a group, with the pointer or not. */
export const setBits = (page, group, bits) => byId(page, group).locator(`input[value="${bits}"]`).check({ force: true });

/** Waits for one of these states of the page, once it has drawn what was asked of it before: it does with the next frame. */
export async function state(page, ...states) {
  await page.evaluate(() => new Promise((drawn) => requestAnimationFrame(() => drawn(undefined))));
  await page.waitForFunction((wanted) => wanted.includes(document.querySelector("main").dataset.state), states, { timeout: 120_000, polling: 50 });
}

/** What a button saves. @returns {Promise<{name: string, bytes: Buffer}>} */
export async function saved(page, id) {
  const [download] = await Promise.all([page.waitForEvent("download"), byId(page, id).click()]);
  const chunks = [];
  for await (const chunk of await download.createReadStream()) chunks.push(chunk);
  return { name: download.suggestedFilename(), bytes: Buffer.concat(chunks) };
}

/** Opens the drawer with all of the method. */
export async function openDrawer(page) {
  const button = byId(page, "method-drawer");
  if ((await button.getAttribute("aria-expanded")) === "false") await button.click();
}

/** What a score cell says, as a number. */
export async function score(page, id) {
  const text = await byId(page, id).textContent();
  assert.match(text, /^(\d+\.\d+|∞)$/, id);
  return text === "∞" ? Infinity : Number(text);
}

/** Waits until a score cell says another number than this, and everything is done. A run may be over before one could see it. */
export async function another(page, id, before) {
  await page.waitForFunction(
    ([name, known]) => {
      const text = document.querySelector(`[data-testid="${name}"]`)?.textContent ?? "";
      return /^(\d+\.\d+|∞)$/.test(text) && text !== known;
    },
    [id, before.toFixed(3)],
    { timeout: 120_000 },
  );
  await state(page, "done");
  return score(page, id);
}

/** Drops files on the page: `{name, type, bytes}`. */
export async function drop(page, ...files) {
  const plain = files.map(({ name, type, bytes }) => ({ name, type, base64: Buffer.from(bytes).toString("base64") }));
  await page.evaluate((list) => {
    const data = new DataTransfer();
    for (const { name, type, base64 } of list) {
      const bytes = Uint8Array.from(atob(base64), (c) => c.charCodeAt(0));
      data.items.add(new File([bytes], name, { type }));
    }
    document.body.dispatchEvent(new DragEvent("drop", { dataTransfer: data, bubbles: true, cancelable: true }));
  }, plain);
}

/** A PNG photograph of sorts: waves, edges and bars, of this size; the same whatever fonts a machine has. */
export async function png(page, width, height) {
  const base64 = await page.evaluate(([w, h]) => {
    const canvas = document.createElement("canvas");
    [canvas.width, canvas.height] = [w, h];
    const context = canvas.getContext("2d");
    const image = context.createImageData(w, h);
    for (let i = 0; i < w * h; i++) {
      const [x, y] = [i % w, Math.floor(i / w)];
      const wave = 120 + 80 * Math.sin(x / 5) * Math.cos(y / 7) + (x > y ? 40 : 0);
      image.data.set([wave, 255 - wave, (wave * 3) % 256, 255], 4 * i);
    }
    context.putImageData(image, 0, 0);
    for (let bar = 0; bar < 8; bar++) context.fillRect(6 + 5 * bar, 14 + 2 * (bar % 3), 2, 16 - 6 * (bar % 2));
    return canvas.toDataURL("image/png").split(",")[1];
  }, [width, height]);
  return { name: `waves-${width}x${height}.png`, type: "image/png", bytes: Buffer.from(base64, "base64") };
}

/** Whether a canvas has been painted with more than one colour. */
export const painted = (page, method) =>
  byId(page, `canvas-${method}`).evaluate((canvas) => {
    const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
    return canvas.width > 1 && data.some((value, i) => i % 4 === 0 && value !== data[0]);
  });

const path = (relative) => fileURLToPath(new URL(relative, root));
const network = path("onnx/edsr_x2.onnx");
const samples = path("www/samples");

/** What the command line says of the samples with the network that the page starts with. */
export const commandLine = (...options) => JSON.parse(execFileSync(process.env.DFSQ, ["eval", network, "--hr", samples, "--json", ...options]));

/** A file of optimized layers of the network that the page starts with, made by the command line on the samples. */
export function optimizedLayers(...options) {
  const folder = mkdtempSync(join(tmpdir(), "dfsq-"));
  try {
    execFileSync(process.env.DFSQ, ["optimize", network, "--images", samples, "-o", join(folder, "made.optimized"), ...options], { stdio: "ignore" });
    return readFileSync(join(folder, "made.optimized"));
  } finally {
    rmSync(folder, { recursive: true });
  }
}
