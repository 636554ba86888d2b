/** A table: what is in its columns, its first rows, and tables that could stand below it. */

import { address, ask } from "../lib/api.js";
import { h, put, whenSeen } from "../lib/dom.js";
import { compact, count, fileName, folder, many, percent } from "../lib/format.js";
import { change, to } from "../lib/route.js";
import { columnLink, fact, facts, kind, moreButton, shareBar, tableLink } from "../parts/bits.js";
import { grid } from "../parts/grid.js";
import { distribution } from "../parts/histogram.js";
import { empty, pending } from "../parts/states.js";

const PAGE = 50;
const ROWS = [20, 100, 500];
const TABS = [["columns", "Columns"], ["rows", "First rows"], ["unions", "Similar tables"]];

export function show(place, { id, query }) {
  let update = null;
  pending(place, "the table", async (signal) => {
    const table = await ask(`/v1/tables/${encodeURIComponent(id)}`, { signal });
    document.title = `${fileName(table.name)} · tablelens`;
    const body = h("div", { id: "tab", role: "tabpanel" });
    const tabs = h("div.tabs", { role: "tablist", "aria-label": "Views of the table" });
    update = ({ tab = "columns", rows = String(ROWS[0]) }) => {
      put(tabs, TABS.map(([name, text]) => tabButton(name, text, name === tab)));
      ({ columns, rows: preview, unions }[tab] ?? columns)(body, table, rows);
    };
    update(query);
    return [head(table), tabs, body];
  });
  return { update: (next) => update?.(next) };
}

function head(table) {
  const keys = table.fields.filter((field) => field.key);
  return [
    h("p.crumbs", {}, h("a", { href: to("", "", { lake: table.lake }) }, table.lake), ` / ${folder(table.name).replaceAll("/", " / ")}`),
    h("h1", {}, fileName(table.name)),
    facts(
      fact("rows", count(table.rows)),
      fact("columns", count(table.columns)),
      fact("format", table.format),
      fact("keys", keys.length ? keys.slice(0, 4).map((field, i) => [i ? ", " : "", h("a", { href: to("column", field.id) }, field.name)]) : "none", keys.length > 4 ? ` and ${keys.length - 4} more` : null),
    ),
    h("div.actions", {}, h("a.button", { href: to("graph", "", { table: table.id }) }, "Joins around it"), h("a.button", { href: to("graph", "", { from: table.id }) }, "Path to another table")),
    table.truncated ? h("p.notice", {}, "The file is longer than what the crawl reads of one; the figures are of the part that was read.") : null,
    table.warnings.length ? h("ul.notes", {}, table.warnings.map((text) => h("li", {}, text))) : null,
  ];
}

function tabButton(name, text, on) {
  return h(
    "button",
    {
      role: "tab", "aria-selected": String(on), "aria-controls": "tab", tabindex: on ? "0" : "-1",
      onclick: () => change({ tab: name === "columns" ? "" : name }),
      onkeydown: (event) => {
        const by = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
        if (!by) return;
        const at = TABS.findIndex(([other]) => other === name);
        const next = TABS[(at + by + TABS.length) % TABS.length][0];
        change({ tab: next === "columns" ? "" : next }, { replace: true });
        setTimeout(() => document.querySelector("[role=tab][aria-selected=true]")?.focus());
      },
    },
    text,
  );
}

function columns(body, table) {
  const list = h("ul.columns");
  const foot = h("div");
  let shown = 0;
  const add = () => {
    const some = table.fields.slice(shown, shown + PAGE);
    shown += some.length;
    list.append(...some.map(field));
    put(foot, moreButton(shown, table.fields.length, add));
  };
  add();
  put(body, table.fields.length ? list : empty("The table has no columns."), foot);
}

/** A column of the table; what its values look like is asked when it comes into view. */
function field(column) {
  const picture = h("div.picture");
  const filled = column.rows ? 1 - column.nulls / column.rows : 0;
  whenSeen(picture, () => pending(picture, "profile", async (signal) => distribution(await ask(`/v1/columns/${column.id}`, { signal }), { top: 3 })));
  return h(
    "li.column",
    { data: { item: "" } },
    h("div.column-name", {}, columnLink(column), h("div.marks", {}, kind(column.kind), column.key ? h("span.badge", { title: "a different value in every row" }, "key") : null)),
    h("div.column-figures", {}, h("span", {}, `${compact(column.distinct)} distinct`), shareBar(filled, "filled", "quiet")),
    picture,
    column.excluded ? h("p.quiet.column-note", {}, `Takes no part in joins: ${column.excluded}`) : null,
  );
}

function preview(body, table, rows) {
  const place = h("div");
  const kinds = Object.fromEntries(table.fields.map((field) => [field.name, field.kind]));
  const choices = ROWS.map((n) => h("button", { "aria-pressed": String(String(n) === rows), onclick: () => change({ rows: n }, { replace: true }) }, String(n)));
  put(body, h("div.actions", {}, h("span.quiet", {}, "Rows"), choices), place);
  pending(place, "rows", async (signal) => grid(await ask(address(`/v1/tables/${table.id}/preview`, { rows }), { signal }), `First rows of ${table.name}`, { kinds }));
}

function unions(body, table) {
  pending(body, "similar tables", async (signal) => {
    const { hits } = await ask(address(`/v1/tables/${table.id}/unions`, { k: 20 }), { signal });
    if (!hits.length) return empty("No other table has columns that align with these.");
    return [h("p.lead", {}, "Tables whose columns align with this one’s, so that they could stand below it."), h("ol.plain", {}, hits.map(union))];
  });
}

const union = (hit) =>
  h(
    "li.result",
    { data: { item: "" } },
    h("div.row", {}, tableLink(hit), h("b.number", {}, percent(hit.score))),
    h("p.quiet", {}, `${many(hit.pairs.length, "column")} align: `, hit.pairs.slice(0, 8).map(([mine, theirs, alike], i) => [i ? ", " : "", mine.name === theirs.name ? mine.name : `${mine.name} ~ ${theirs.name}`, ` ${percent(alike)}`])),
  );
