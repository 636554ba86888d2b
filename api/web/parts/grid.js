/** Rows of a table or of a join. */

import { h, put } from "../lib/dom.js";
import { cell, count, many } from "../lib/format.js";

const COLUMNS = 60;
const NUMBER = /^(u?int|float|double|decimal|halffloat)/;
const DIGITS = /^\s*[-+]?(\d{1,3}(,\d{3})+|\d+)?(\.\d+)?(e[-+]?\d+)?\s*%?$/i;

/**
 * Rows as the API gives them, { columns, rows, more }; a very wide table shows its first columns until asked.
 * `marked` are names of columns to stand out, `kinds` says more of them than the type in the file.
 */
export function grid(found, label, { marked = [], kinds = {} } = {}) {
  const place = h("div");
  draw(place, found, label, { marked: new Set(marked), kinds }, COLUMNS);
  return place;
}

/** Whether a column stands right: it holds numbers, or text that is nothing but numbers, as a CSV has them. */
const isNumbers = (type, rows, i) => NUMBER.test(type) || (rows.some((row) => row[i] !== null) && rows.every((row) => row[i] === null || (typeof row[i] === "string" && DIGITS.test(row[i]))));

function draw(place, found, label, { marked, kinds }, shown) {
  const columns = found.columns.slice(0, shown);
  const classes = columns.map(({ name, type }, i) => [isNumbers(type, found.rows, i) && "number", marked.has(name) && "marked"].filter(Boolean).join(" ") || null);
  const heads = columns.map(({ name, type }, i) => h("th", { scope: "col", class: classes[i] }, h("span", {}, name || "(no name)"), h("span.type", {}, kinds[name] ?? type)));
  const row = (values) => h("tr", {}, columns.map((_, i) => shownCell(values[i], classes[i])));
  const rest = found.columns.length - columns.length;
  const more = rest > 0 ? h("button", { onclick: () => draw(place, found, label, { marked, kinds }, Infinity) }, `Show ${many(rest, "more column")}`) : null;
  put(
    place,
    h(
      "div.grid",
      { tabindex: "0", role: "region", "aria-label": label },
      h("table", {}, h("thead", {}, h("tr", {}, heads)), h("tbody", {}, found.rows.map(row))),
    ),
    h("p.quiet", {}, `${count(found.rows.length)} ${found.more ? "rows shown, there are more" : found.rows.length === 1 ? "row, which is all" : "rows, which are all"}. `, more),
  );
}

function shownCell(value, name) {
  if (value === null || value === undefined) return h("td", { class: name }, h("span.null", {}, "null"));
  const text = cell(value);
  return h("td", { class: name, title: text.length > 40 ? text : null }, text);
}
