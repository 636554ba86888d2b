/** Tables by words, and columns by name. */

import { address, ask } from "../lib/api.js";
import { h, put } from "../lib/dom.js";
import { compact, many } from "../lib/format.js";
import { change, to } from "../lib/route.js";
import { tableLink } from "../parts/bits.js";
import { empty, pending } from "../parts/states.js";

const STEP = 20;

export function show(place, { query }) {
  const tables = h("section.results", { "aria-label": "Tables" });
  const columns = h("section.results", { "aria-label": "Columns" });
  const title = h("h1");
  put(place, title, h("div.two", {}, tables, columns));
  function load({ q = "", k = STEP }) {
    document.title = `${q || "Search"} · tablelens`;
    put(title, q ? `“${q}”` : "Search");
    if (!q) return put(tables, empty("Type words into the field above."));
    pending(tables, "tables", async (signal) => {
      const { hits } = await ask(address("/v1/search", { q, k }), { signal });
      if (!hits.length) return empty("No table answers to these words.", "Try fewer words, or one that a title, a column name or a value has.");
      const more = hits.length >= Number(k) ? h("button", { onclick: () => change({ k: Number(k) + STEP }, { replace: true }) }, "Show more") : null;
      return [h("h2", {}, "Tables"), h("ol.plain", {}, hits.map((hit) => found(hit))), h("div.more", {}, more)];
    });
    pending(columns, "columns", async (signal) => {
      const names = await columnsNamed(q, signal);
      return names.length ? [h("h2", {}, "Columns named like it"), h("ul.plain", {}, names.map(column))] : null;
    });
  }
  load(query);
  return { update: load };
}

/** Columns whose name holds the words; where none holds them all, one of them. */
async function columnsNamed(q, signal) {
  const words = q.split(/\s+/).filter((word) => word.length > 2);
  const found = new Map();
  for (const words_ of words.length > 1 ? [[q], words.slice(0, 5)] : [[q]]) {
    const answers = await Promise.all(words_.map((text) => ask(address("/v1/suggestions", { q: text.slice(0, 200), k: 100 }), { signal })));
    for (const each of answers.flatMap((answer) => answer.items)) if (each.kind === "column") found.set(each.id, each);
    if (found.size) break;
  }
  return [...found.values()].slice(0, STEP);
}

function found(hit) {
  const matched = new Set(hit.matched.map((word) => word.toLowerCase()));
  const isMatch = (name) => [...matched].some((word) => name.toLowerCase().includes(word));
  const names = [...hit.names].sort((a, b) => isMatch(b) - isMatch(a)).slice(0, 8);
  return h(
    "li.result",
    { data: { item: "" } },
    tableLink(hit),
    h("p.quiet", {}, many(hit.rows, "row"), " · ", many(hit.columns, "column")),
    h("p.chips", {}, names.map((name) => h("span.chip", { data: isMatch(name) ? { on: "yes" } : {} }, name)), hit.columns > names.length ? h("span.quiet", {}, `and ${compact(hit.columns - names.length)} more`) : null),
  );
}

const column = (each) => h("li.result", { data: { item: "" } }, h("a.name.strong", { href: to("column", each.id) }, each.text), h("p.quiet", {}, `${each.lake}/${each.table}`));
