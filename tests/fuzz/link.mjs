// Changes links to the page one to six things at a time: settings are read from each, and some are opened in Chromium.
// ./build.sh fuzz link [SECONDS]; the seed of a run that failed goes into DFSQ_SEED
import assert from "node:assert/strict";
import { CHOICES, Settings, same, valueOf } from "../../www/model/settings.js";
import { open, start, state, stop } from "../e2e/browser.js";
import { DEFAULTS } from "../unit/fakes.js";

/** Links that are read for each that is opened. */
const READ = 20_000;
/** Of the opened ones, one in so many also has a picture, which then runs. */
const RUN = 8;

const LINKS = [
  "network=edsr_x2&weights=4&activations=4&mode=benchmark&view=panes&left=dfsq&right=fp32&layer=%2Fbody%2Fbody.3%2Fbody%2Fbody.0%2FConv&channel=7&method=dfsq&zoom=2.5%2C0.4%2C0.25&v=1",
  "network=rdn_x2&weights=3&activations=2&mode=upscale&view=slider&left=bicubic&right=dfsq-opt&layer=&channel=0&method=min-max&zoom=1%2C0.5%2C0.5&v=1&layers=a:4:4,b%253A:32:8",
  `network=edsr_x4&weights=32&activations=8&view=difference&v=1&${CHOICES.map(({ name, values }) => `${name}=${values.at(-1)?.[0]}`).join("&")}`,
];
const WORDS = ["", "0", "-1", "1e9", "NaN", "Infinity", "2.5", "9007199254740993", "__proto__", "constructor", "toString", "null", "undefined", "[object Object]", "<img src=x onerror=alert(1)>", "javascript:alert(1)", "../../etc/passwd", "%", "%25", "%zz", "\u0000", "\u202e", "\ud800", "é", "💥", "a".repeat(5000), ",,,", ":::", "a:4:4", "__proto__:4:4", "__proto__:2:2,__proto__:8:8", "a:4", "32", "4", "panes", "dfsq", "&", "=", "#"];

let seed = Number(process.env.DFSQ_SEED ?? Date.now() % 2 ** 32);
/** The next of a row of numbers, in 0 .. below. Mulberry32. @param {number} below */
function random(below) {
  seed = (seed + 0x6d2b79f5) | 0;
  let t = Math.imul(seed ^ (seed >>> 15), 1 | seed);
  t ^= t + Math.imul(t ^ (t >>> 7), 61 | t);
  return Math.floor((((t ^ (t >>> 14)) >>> 0) / 2 ** 32) * below);
}
/** @template T @param {T[]} list @returns {T} */
const any = (list) => list[random(list.length)];

/** A link with one to six things changed. */
function changed() {
  const parts = any(LINKS).split("&");
  for (let times = 1 + random(6); times > 0; times--) {
    const at = random(parts.length);
    const [name, value = ""] = parts[at].split("=");
    const change = random(7);
    if (change === 0) parts.splice(at, 1);
    else if (change === 1) parts.push(`${name}=${any(WORDS)}`);
    else if (change === 2) parts[at] = `${name}=${encodeURIComponent(any(WORDS).toWellFormed())}`;
    else if (change === 3) parts[at] = `${any(parts).split("=")[0]}=${value}`;
    else if (change === 4) parts[at] = `${any(WORDS)}=${value}`;
    else if (change === 5) parts[at] = `${name}=${value.slice(0, random(value.length + 1))}${any(WORDS)}${value.slice(random(value.length + 1))}`;
    else parts[at] = `${name}=${any(any(LINKS).split("&")).split("=")[1] ?? ""}`;
    if (!parts.length) parts.push(any(WORDS));
  }
  return parts.join("&");
}

/** Whatever a link says, the settings are of those that can be chosen, and their own link brings them back. @param {string} link */
function read(link) {
  const settings = new Settings(DEFAULTS, new URLSearchParams(link));
  const { values } = settings;
  const widths = [values.weightBits, values.activationBits, ...Object.values(values.layerBits).flat()];
  assert.ok(widths.every((width) => DEFAULTS.bitWidths.includes(width)));
  assert.ok(Object.values(values.layerBits).every((pair) => pair.length === 2));
  assert.equal(Object.getPrototypeOf(values.layerBits), Object.prototype);
  for (const { path, values: allowed } of CHOICES) assert.ok(allowed.some(([value]) => value === valueOf(values, path)));
  const again = new Settings(DEFAULTS, new URLSearchParams(String(new URLSearchParams(settings.toLink()))));
  assert.ok(same(again.values, values), "it does not bring itself back");
}

/** The page gets ready, a run ends or is refused in words, and the console has nothing to complain of. @param {string} link */
async function visit(link) {
  const page = await open(`#${link}`);
  if (random(RUN) === 0) {
    await page.locator('[data-testid="sample-parrot"]').click();
    await state(page, "done", "error");
  }
  assert.deepEqual(page.complaints, []);
  await page.context().close();
}

const seconds = Number(process.argv[2] ?? 3600);
const end = Date.now() + 1000 * seconds;
let [links, visits, first, last] = [0, 0, seed, ""];
await start();
try {
  while (Date.now() < end) {
    for (let i = 0; i < READ; i++, links++) read((last = changed()));
    await visit((last = changed()));
    visits++;
    if (visits % 100 === 0) console.log(`${links} links read, ${visits} opened`);
  }
  console.log(`${links} links read, ${visits} opened in ${seconds} s`);
} catch (error) {
  console.error(`seed ${first}, link ${JSON.stringify(last)}`);
  throw error;
} finally {
  await stop();
}
