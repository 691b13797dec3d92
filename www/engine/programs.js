// The programs of the page, by their names in pkg/. Fetched and compiled when first needed, once for all workers: those start
// again from what the page has in memory, whatever has become of the server or of its version.
import { Engine } from "./client.js";
import { fetched } from "./downloads.js";
import { once } from "./once.js";

/** @param {string} name @returns {() => import("./client.js").Program} */
export function program(name) {
  const script = once(async () => {
    const address = new URL(PROGRAM_FILES[name].worker, import.meta.url);
    const response = await fetched(address.href);
    // So that its source map is found from wherever it runs.
    const text = (await response.text()).replace("sourceMappingURL=", `$&${new URL(".", address)}`);
    return URL.createObjectURL(new Blob([text], { type: "text/javascript" }));
  });
  const make = async () => new Worker(await script());
  const start = once(async () => /** @type {[WebAssembly.Module]} */ ([await compile(name, make)]));
  return () => {
    const started = start();
    // A worker that ends before it comes to this does not wait for it.
    started.catch(() => {});
    return { make, start: started };
  };
}

/** In a worker of its own: on the page's thread, taking in the program was its longest task. @param {string} name @param {() => Promise<Worker>} make @returns {Promise<WebAssembly.Module>} */
async function compile(name, make) {
  const compiler = new Engine([() => ({ make })]);
  try {
    return await compiler.call("compile", [new URL(PROGRAM_FILES[name].wasm, import.meta.url).href]);
  } finally {
    compiler.stop();
  }
}
