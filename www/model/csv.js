// Lines of CSV. No DOM.

/** @param {unknown} value nothing gives an empty field */
function field(value) {
  const text = String(value ?? "");
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

/** @param {unknown[]} values */
export const csvLine = (values) => values.map(field).join();
