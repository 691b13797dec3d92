// The page's main ways, in WebKitGTK: Safari's engine as far as a Debian machine has it.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { createServer } from "node:net";
import { after, before, test } from "node:test";
import { METHODS, serve } from "./browser.js";

const BROWSER = process.env.WEBKIT ?? "/usr/lib/x86_64-linux-gnu/webkit2gtk-4.1/MiniBrowser";

let served;
let driver;
let screen;
let address;

/** One that nobody listens at. */
async function freePort() {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address();
  server.close();
  return port;
}

before(async () => {
  served = await serve();
  screen = spawn("Xvfb", ["-displayfd", "1", "-screen", "0", "1280x900x24", "-nolisten", "tcp"], { stdio: ["ignore", "pipe", "ignore"] });
  const display = String((await once(screen.stdout, "data"))[0]).trim();
  const port = await freePort();
  // The browser's own sandbox needs rights that tests seldom have.
  const env = { ...process.env, DISPLAY: `:${display}`, WEBKIT_DISABLE_SANDBOX_THIS_IS_DANGEROUS: "1", LIBGL_ALWAYS_SOFTWARE: "1" };
  driver = spawn("dbus-run-session", ["--", "WebKitWebDriver", `--port=${port}`], { env, stdio: "ignore", detached: true });
  address = `http://127.0.0.1:${port}`;
});

after(() => {
  if (driver) process.kill(-driver.pid);
  screen?.kill();
  served?.stop();
});

/** Asks the driver, as W3C's WebDriver has it. */
async function ask(method, path, body) {
  const answer = await fetch(address + path, { method, body: body && JSON.stringify(body) });
  const { value } = await answer.json();
  if (!answer.ok) throw new Error(`${path}: ${value.error}: ${value.message}`);
  return value;
}

/** The page in a browser of its own. */
async function open(hash = "") {
  const asked = { capabilities: { alwaysMatch: { "webkitgtk:browserOptions": { binary: BROWSER, args: ["--automation"] } } } };
  let session;
  for (let tries = 0; !session; tries++) {
    session = await ask("POST", "/session", asked).catch(async (error) => {
      // The driver takes a moment to start.
      if (tries > 50) throw error;
      await new Promise((resolve) => setTimeout(resolve, 200));
    });
  }
  const at = `/session/${session.sessionId}`;
  const run = (work, ...args) => ask("POST", `${at}/execute/sync`, { script: `return (${work}).apply(null, arguments)`, args });
  const until = async (work, ...args) => {
    for (let tries = 0; tries < 600; tries++) {
      if (await run(work, ...args)) return;
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    throw new Error(`waited a minute for ${work}, with ${args}; the page says ${await run(() => document.querySelector("#status").textContent + document.querySelector("#error").textContent)}`);
  };
  await ask("POST", `${at}/url`, { url: served.address + hash });
  const page = { run, until, close: () => ask("DELETE", at) };
  await state(page, "ready");
  return page;
}

const state = (page, ...wanted) => page.until((states) => states.includes(document.querySelector("main")?.dataset.state), wanted);
const text = (page, id) => page.run((name) => document.querySelector(`[data-testid="${name}"]`).textContent, id);
const click = (page, selector) => page.run((selector) => document.querySelector(selector).click(), selector);

const dropSample = (page, name) =>
  page.run(
    (name, base64) => {
      const data = new DataTransfer();
      data.items.add(new File([Uint8Array.from(atob(base64), (c) => c.charCodeAt(0))], name, { type: "image/png" }));
      document.body.dispatchEvent(new DragEvent("drop", { dataTransfer: data, bubbles: true, cancelable: true }));
    },
    `${name}.png`,
    readFileSync(new URL(`../../www/samples/${name}.png`, import.meta.url)).toString("base64"),
  );

test("a dropped picture fills panes and figures, and bits are switched", async () => {
  const page = await open();
  await dropSample(page, "lighthouse");
  await state(page, "done");
  const four = await Promise.all(METHODS.map((method) => text(page, `psnr-${method}`)));
  for (const score of four) assert.match(score, /^\d\d\.\d+$/);
  for (const figure of ["layers", "heatmap", "channels", "histogram", "weights", "universal-set", "samples", "quality"]) {
    await page.until((name) => document.querySelector(`[data-testid="figure-${name}"] svg`) !== null, figure);
  }
  assert.ok(
    await page.run(() => {
      const { width, height } = document.querySelector('[data-testid="canvas-dfsq"]');
      return width === 256 && height === 256;
    }),
  );
  await click(page, '[data-testid="weight-bits"] input[value="2"]');
  await page.until((known) => !["–", known].includes(document.querySelector('[data-testid="psnr-dfsq"]').textContent), four[METHODS.indexOf("dfsq")]);
  await state(page, "done");
  assert.ok(Number(await text(page, "psnr-dfsq")) < Number(four[METHODS.indexOf("dfsq")]));
  // What is done leaves nothing of its bar.
  assert.deepEqual(await page.run(() => [...document.querySelectorAll(".pane.shown")].map((pane) => pane.style.getPropertyValue("--done") || "0").filter((done) => Number(done) > 0 && Number(done) < 1)), []);
  await page.close();
});

test("a run is cancelled and started again, what is no image is refused, and all is there at the next visit", async () => {
  const page = await open();
  await dropSample(page, "parrot");
  await state(page, "running");
  await click(page, '[data-testid="cancel"]');
  await state(page, "ready");
  await click(page, '[data-testid="run"]');
  await state(page, "done");
  await page.run(() => {
    const data = new DataTransfer();
    data.items.add(new File(["words"], "words.png", { type: "image/png" }));
    document.body.dispatchEvent(new DragEvent("drop", { dataTransfer: data, bubbles: true, cancelable: true }));
  });
  await page.until(() => document.querySelector("#error").textContent.startsWith("words.png: "));
  const before = await text(page, "psnr-dfsq");
  assert.match(before, /^\d\d\.\d+$/, "what was there stays");
  await new Promise((resolve) => setTimeout(resolve, 1500));
  await page.run(() => location.reload());
  await page.until(() => /^Done: parrot\.png/.test(document.querySelector("#status")?.textContent ?? ""));
  assert.equal(await text(page, "psnr-dfsq"), before);
  await page.close();
});
