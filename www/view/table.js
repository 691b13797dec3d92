// Rows of tables.

/** A row with a head and cells. A cell is its text, or its test id and text. @param {string} head @param {(string | [id: string, text: string])[]} cells @param {string} [method] whose colour it has */
export function tableRow(head, cells, method) {
  const row = document.createElement("tr");
  if (method) row.dataset.method = method;
  const th = document.createElement("th");
  th.scope = "row";
  th.textContent = head;
  row.append(th);
  for (const cell of cells) {
    const [id, text] = typeof cell === "string" ? ["", cell] : cell;
    const td = document.createElement("td");
    if (id) td.dataset.testid = id;
    td.textContent = text;
    row.append(td);
  }
  return row;
}
