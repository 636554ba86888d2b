/** Tables by words, and columns by name. */

import { address, ask } from "../lib/api.js";
import { h, put } from "../lib/dom.js";
import { compact, count, many } from "../lib/format.js";
import { change } from "../lib/route.js";
import { columnLink, kind, moreButton, tableLink } from "../parts/bits.js";
import { empty, pending } from "../parts/states.js";

const STEP = 20;

export function show(place, { query }) {
  const tables = h("section.results", { "aria-label": "Tables" });
  const columns = h("section.results", { "aria-label": "Columns" });
  const title = h("h1");
  const both = h("div.two");
  put(place, title, both);
  function load({ q = "", k = STEP, of = "" }) {
    document.title = `${q || "Search"} · tablelens`;
    put(title, q ? `“${q}”` : "Search");
    put(both, of === "columns" ? [columns, tables] : [tables, columns]);
    if (!q) return put(tables, empty("Type words into the field above."));
    pending(tables, "tables", (signal) => tablesOf(q, Number(k), signal));
    pending(columns, "columns", (signal) => columnsOf(q, signal));
  }
  load(query);
  return { update: load };
}

async function tablesOf(q, k, signal) {
  const { hits } = await ask(address("/v1/search", { q, k }), { signal });
  if (!hits.length) return empty("No table answers to these words.", "Try fewer words, or one that a title, a column name or a value has.");
  const more = hits.length >= k ? h("button", { onclick: () => change({ k: k + STEP }, { replace: true }) }, "Show more") : null;
  return [h("h2", {}, "Tables"), h("ol.plain", {}, hits.map(table)), h("div.more", {}, more)];
}

/** Columns whose name holds the words; where none holds them all, the first of them that one holds. */
async function columnsOf(q, signal) {
  const words = q.split(/\s+/).filter((word) => word.length > 2);
  for (const text of [q, ...(words.length > 1 ? words : [])]) {
    const page = (cursor) => ask(address("/v1/search/columns", { q: text.slice(0, 200), limit: STEP, cursor }), { signal });
    const first = await page("");
    if (first.total) return columnList(text, first, page);
  }
  return null;
}

function columnList(text, first, page) {
  const list = h("ul.plain");
  const foot = h("div");
  let shown = 0;
  const add = ({ items, next, total }) => {
    shown += items.length;
    list.append(...items.map(column));
    put(foot, moreButton(shown, total, async () => add(await page(next))));
  };
  add(first);
  return [h("h2", {}, `Columns named like “${text}”`), list, foot];
}

function table(hit) {
  const matched = hit.matched.map((word) => word.toLowerCase());
  const isMatch = (name) => matched.some((word) => name.toLowerCase().includes(word));
  const names = [...hit.names].sort((a, b) => isMatch(b) - isMatch(a)).slice(0, 8);
  return h(
    "li.result",
    { data: { item: "" } },
    tableLink(hit),
    h("p.quiet", {}, many(hit.rows, "row"), " · ", many(hit.columns, "column")),
    h("p.chips", {}, names.map((name) => h("span.chip", { data: isMatch(name) ? { on: "yes" } : {} }, name)), hit.columns > names.length ? h("span.quiet", {}, `and ${compact(hit.columns - names.length)} more`) : null),
  );
}

const column = (each) =>
  h("li.result", { data: { item: "" } }, h("div.hit-title", {}, columnLink(each), kind(each.kind), h("span.quiet", {}, `${count(each.distinct)} distinct`)), h("span.quiet", {}, tableLink(each)));
