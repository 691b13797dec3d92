// Files and folders dropped anywhere on the page, or pasted.

/** @typedef {import("../model/folder.js").Found} Found */

/** @param {FileSystemDirectoryEntry} folder @returns {Promise<FileSystemEntry[]>} */
async function entriesOf(folder) {
  const reader = folder.createReader();
  const all = [];
  // It gives some at a time, and none at the end.
  for (;;) {
    const some = await new Promise((/** @type {(entries: FileSystemEntry[]) => void} */ resolve, reject) => reader.readEntries(resolve, reject));
    if (!some.length) return all;
    all.push(...some);
  }
}

/** All files of folders. @param {FileSystemEntry[]} entries @returns {Promise<Found[]>} */
async function filesOf(entries) {
  const found = await Promise.all(
    entries.map(async (entry) => {
      if (entry.isDirectory) return filesOf(await entriesOf(/** @type {FileSystemDirectoryEntry} */ (entry)));
      const file = await new Promise((/** @type {(file: File) => void} */ resolve, reject) => /** @type {FileSystemFileEntry} */ (entry).file(resolve, reject));
      return [{ path: entry.fullPath.slice(1), file }];
    }),
  );
  return found.flat();
}

/**
 * @param {HTMLElement} hintElement shown while files are dragged over the page @param {(files: Iterable<File>) => void} take
 * @param {(files: Found[]) => void} takeFolder @param {(why: string) => void} refuse
 */
export function listenForFiles(hintElement, take, takeFolder, refuse) {
  let depth = 0;
  const hint = (/** @type {number} */ change) => {
    depth = change === 0 ? 0 : depth + change;
    hintElement.hidden = depth <= 0;
  };
  addEventListener("dragenter", (event) => {
    event.preventDefault();
    if (event.dataTransfer?.types.includes("Files")) hint(1);
  });
  addEventListener("dragleave", (event) => event.dataTransfer?.types.includes("Files") && hint(-1));
  addEventListener("dragover", (event) => event.preventDefault());
  addEventListener("drop", (event) => {
    event.preventDefault();
    hint(0);
    // What was dragged on the page itself is no file.
    if (!event.dataTransfer?.types.includes("Files") && event.dataTransfer?.types.some((type) => type === "text/x-tray")) return;
    // To be asked for now: afterwards they are gone.
    const entries = [...(event.dataTransfer?.items ?? [])].flatMap((item) => item.webkitGetAsEntry?.() ?? []);
    const files = event.dataTransfer?.files;
    if (entries.some((entry) => entry.isDirectory)) filesOf(entries).then(takeFolder, (error) => refuse(`the folder could not be read: ${error.message}`));
    else if (files?.length) take(files);
    else refuse("nothing was dropped that is a file; save the image first and drop the file");
  });
  addEventListener("paste", (event) => {
    if (event.clipboardData?.files.length) take(event.clipboardData.files);
  });
}
