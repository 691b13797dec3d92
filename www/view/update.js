// Keeps the page for when there is no network, and says when there is a new version of it.
import { element } from "./dom.js";

/** How often a tab that stays open looks for one, in milliseconds. */
const OFTEN = 3600e3;

export async function listenForUpdate() {
  const { serviceWorker } = navigator;
  // Without a secure context there is none, and some browsers refuse it in private windows.
  const registration = await serviceWorker?.register("sw.js").catch(() => undefined);
  if (!registration) return;
  const note = element("update");
  const tell = () => (note.hidden = !registration.waiting || !serviceWorker.controller);
  registration.addEventListener("updatefound", () => registration.installing?.addEventListener("statechange", tell));
  tell();
  note.querySelector("button").onclick = () => {
    serviceWorker.addEventListener("controllerchange", () => location.reload());
    registration.waiting?.postMessage("take over");
  };
  setInterval(() => registration.update().catch(() => {}), OFTEN);
}
