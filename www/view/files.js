// Files dropped anywhere on the page, or pasted.

/** @param {HTMLElement} hintElement shown while files are dragged over the page @param {(files: FileList) => void} take @param {(why: string) => void} refuse */
export function listenForFiles(hintElement, take, refuse) {
  let depth = 0;
  const hint = (/** @type {number} */ change) => {
    depth = change === 0 ? 0 : depth + change;
    hintElement.hidden = depth <= 0;
  };
  addEventListener("dragenter", (event) => (event.preventDefault(), hint(1)));
  addEventListener("dragleave", () => hint(-1));
  addEventListener("dragover", (event) => event.preventDefault());
  addEventListener("drop", (event) => {
    event.preventDefault();
    hint(0);
    const files = event.dataTransfer?.files;
    if (files?.length) take(files);
    else refuse("nothing was dropped that is a file; save the image first and drop the file");
  });
  addEventListener("paste", (event) => {
    if (event.clipboardData?.files.length) take(event.clipboardData.files);
  });
}
