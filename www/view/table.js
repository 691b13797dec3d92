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

/** Changes what differs and leaves the rest as it is, with what is selected in it. @param {Element} old @param {Element} now */
function patch(old, now) {
  if (old.isEqualNode(now)) return;
  const alike = old.cloneNode().isEqualNode(now.cloneNode());
  if (!alike || old.childElementCount !== now.childElementCount) return old.replaceWith(now);
  if (!now.childElementCount) old.textContent = now.textContent;
  // A copy: what is replaced leaves the list.
  const parts = [...now.children];
  for (const [index, part] of [...old.children].entries()) patch(part, parts[index]);
}

/** Makes these the rows of a table's part. @param {Element} part @param {Element[]} rows */
export function setRows(part, rows) {
  while (part.children.length > rows.length) part.lastElementChild?.remove();
  for (const [index, row] of rows.entries()) {
    if (part.children[index]) patch(part.children[index], row);
    else part.append(row);
  }
}
