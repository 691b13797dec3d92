// Enlarges an image in full precision, with DFSQ-opt, DFSQ and min-max, and shows each as it is done.
import { Network } from "dfsq";

const BITS = { weightBits: 3, activationBits: 3 };
const WAYS = [{ method: "fp32" }, { method: "dfsq-opt", ...BITS }, { method: "dfsq", ...BITS }, { method: "min-max", ...BITS }];

const [network, image] = document.querySelectorAll("input");
const cancel = document.querySelector("button");
const status = document.querySelector("[role=status]");
const results = document.querySelector("#results");

let loaded;
let running = new AbortController();

network.addEventListener("change", async () => {
  const file = (ending) => [...network.files].find(({ name }) => name.endsWith(ending));
  loaded?.dispose();
  await tell(async () => {
    loaded = await Network.load(file(".onnx"), { calibration: file(".calibration"), optimized: file(".optimized") });
    image.disabled = false;
    return `${loaded.info.name ?? "A network"}, x${loaded.info.convention.scale}`;
  });
});

image.addEventListener("change", () => {
  running.abort();
  running = new AbortController();
  results.replaceChildren();
  tell(() => compare(image.files[0], running.signal));
});

cancel.addEventListener("click", () => running.abort());

async function compare(photo, signal) {
  const onProgress = (done) => (status.textContent = `${Math.round(100 * done)} %`);
  for await (const { image, options } of loaded.compare(photo, WAYS, { signal, onProgress })) {
    const canvas = document.createElement("canvas");
    [canvas.width, canvas.height] = [image.width, image.height];
    canvas.getContext("2d").putImageData(image, 0, 0);
    canvas.title = options.method;
    results.append(canvas);
  }
  return "Done";
}

async function tell(work) {
  cancel.disabled = false;
  try {
    status.textContent = await work();
  } catch (error) {
    status.textContent = error.name === "AbortError" ? "Cancelled" : `${error.kind ?? "error"}: ${error.message}`;
  }
  cancel.disabled = true;
}
