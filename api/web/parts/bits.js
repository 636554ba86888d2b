/** Small things that several screens show. */

import { h, put } from "../lib/dom.js";
import { count, fileName, folder, percent } from "../lib/format.js";
import { to } from "../lib/route.js";

export const KINDS = ["text", "categorical", "identifier", "integer", "decimal", "date", "boolean", "empty"];

/** The kind of a column, with its colour. */
export const kind = (name) => h("span.kind", { data: { kind: name } }, h("span.dot", { "aria-hidden": "true" }), name);

/** A link to a table: its file, and quietly the folder. */
export function tableLink(table, { whole = true } = {}) {
  const name = table.table ?? table.name; // of a column, or of a table itself
  const where = `${table.lake}/${folder(name)}`;
  return h(
    "a.name",
    { href: to("table", table.table_id ?? table.id), title: `${table.lake}:${name}` },
    whole ? h("span.where", {}, where) : null,
    h("span", {}, fileName(name)),
  );
}

/** A link to a column. */
export const columnLink = (column) => h("a.name.strong", { href: to("column", column.id) }, column.name || "(no name)");

/** A bar for a share, with its number and what it says. */
export function shareBar(share, label, tone = "") {
  return h(
    "div.share",
    { data: { tone } },
    h("span.share-label", {}, label),
    h("span.track", { "aria-hidden": "true" }, h("span.level", { style: { width: `${100 * share}%` } })),
    h("span.share-number", {}, percent(share)),
  );
}

/** A term and what it is, in a row of facts. */
export const fact = (name, ...value) => h("div.fact", {}, h("dt", {}, name), h("dd", {}, value));
export const facts = (...each) => h("dl.facts", {}, each);

/** Cells as they stand in the file. */
export function cells(values, tone = "") {
  return h(
    "ul.cells",
    { data: { tone } },
    values.map((value) => h("li", {}, value === "" ? h("i", {}, "empty text") : value)),
  );
}

/** A button that copies a text. */
export function copyButton(text, label = "Copy SQL") {
  const button = h("button", { onclick: copy }, label);
  async function copy() {
    try {
      await navigator.clipboard.writeText(text);
    } catch {
      legacyCopy(text); // plain http on another host has no clipboard
    }
    put(button, "Copied");
    setTimeout(() => put(button, label), 1500);
  }
  return button;
}

function legacyCopy(text) {
  const area = h("textarea.aside", { value: text });
  document.body.append(area);
  area.select();
  document.execCommand("copy");
  area.remove();
}

/** SQL to read and to take along. */
export const sqlBox = (sql) =>
  h("div.sql", {}, h("pre", { tabindex: "0", "aria-label": "SQL" }, h("code", {}, sql)), h("div.sql-actions", {}, copyButton(sql)));

/** A choice with its label. */
export function choice(label, options, value, onchange) {
  const items = options.map((each) => (Array.isArray(each) ? each : [each, each]));
  const select = h(
    "select",
    { onchange: () => onchange(select.value) },
    items.map(([name, text]) => h("option", { value: name, selected: name === value }, text)),
  );
  return h("label.field", {}, h("span", {}, label), select);
}

/** Pages of a list that has a cursor: a button for more, and how many there are. */
export function moreButton(shown, total, load) {
  if (shown >= total) return null;
  const button = h("button", { onclick: () => ((button.disabled = true), load()) }, `Show more of ${count(total)}`);
  return h("div.more", {}, button);
}
