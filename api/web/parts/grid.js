/** Rows of a table or of a join. */

import { h, put } from "../lib/dom.js";
import { cell, count, many } from "../lib/format.js";

const COLUMNS = 60;
const NUMBER = /^(u?int|float|double|decimal|halffloat)/;

/** Rows as the API gives them, { columns, rows, more }; a very wide table shows its first columns until asked. */
export function grid(found, label, { marked = [] } = {}) {
  const place = h("div");
  draw(place, found, label, new Set(marked), COLUMNS);
  return place;
}

function draw(place, found, label, marked, shown) {
  const columns = found.columns.slice(0, shown);
  const classes = columns.map(({ name, type }) => [NUMBER.test(type) && "number", marked.has(name) && "marked"].filter(Boolean).join(" ") || null);
  const heads = columns.map(({ name, type }, i) => h("th", { scope: "col", class: classes[i] }, h("span", {}, name || "(no name)"), h("span.type", {}, type)));
  const row = (values) => h("tr", {}, columns.map((_, i) => shownCell(values[i], classes[i])));
  const rest = found.columns.length - columns.length;
  const more = rest > 0 ? h("button", { onclick: () => draw(place, found, label, marked, Infinity) }, `Show ${many(rest, "more column")}`) : null;
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
