/** What is in the lake: its size, and its tables page by page. */

import { address, ask } from "../lib/api.js";
import { h, later, put } from "../lib/dom.js";
import { count, many, moment } from "../lib/format.js";
import { change, note, to } from "../lib/route.js";
import { choice, fact, facts, moreButton, tableLink } from "../parts/bits.js";
import { empty, pending } from "../parts/states.js";

const PAGE = 100;

export function show(place, { query }) {
  document.title = "Tables · tablelens";
  const summary = h("div");
  const list = h("div");
  const filter = h("input", { type: "search", value: query.tables ?? "", placeholder: "sales/*", autocomplete: "off", spellcheck: "false", oninput: later(typed, 250) });
  const lakes = h("div", { hidden: true });
  const filters = h("div.filters", { hidden: true }, lakes, h("label.field", {}, h("span", {}, "Names like"), filter));
  let wanted = { lake: query.lake ?? "", tables: query.tables ?? "" };
  put(
    place,
    h("h1", {}, "Tables"),
    summary,
    filters,
    list,
  );

  function typed() {
    wanted = { ...wanted, tables: filter.value.trim() };
    note(wanted);
    load();
  }

  const load = () => pending(list, "tables", (signal) => page(signal));
  async function page(signal) {
    const tables = wanted.tables && !/[*?[]/.test(wanted.tables) ? `*${wanted.tables}*` : wanted.tables;
    const ask1 = (cursor) => ask(address("/v1/tables", { lake: wanted.lake, tables, cursor, limit: PAGE }), { signal });
    const first = await ask1("");
    if (!first.total) return wanted.tables || wanted.lake ? empty("No table has such a name.") : null;
    return tableList(first, ask1);
  }

  pending(summary, "lakes", async (signal) => {
    const [status, found] = await Promise.all([ask("/v1/status", { signal }), ask("/v1/lakes", { signal })]);
    filters.hidden = !found.length;
    if (!found.length) return empty("Nothing has been crawled yet.", h("a", { href: to("crawls") }, "Crawl a folder"), ", or run ", h("code", {}, "tablelens crawl FOLDER"), ".");
    lakes.hidden = found.length < 2;
    if (found.length > 1) put(lakes, choice("Lake", [["", "all lakes"], ...found.map((lake) => lake.name)], wanted.lake, (lake) => change({ lake })));
    load();
    return [totals(status), found.length > 1 ? h("ul.lakes", {}, found.map(lakeCard)) : oneLake(found[0])];
  });
  return {
    update(next) {
      wanted = { lake: next.lake ?? "", tables: next.tables ?? "" };
      filter.value = wanted.tables;
      load();
    },
  };
}

const totals = (status) =>
  facts(fact("tables", count(status.tables)), fact("columns", count(status.columns)), fact("with a vector", count(status.vectors)), fact("encoder", status.encoder));

const failed = (lake) => (lake.failed ? h("a", { href: to("crawls", "", { lake: lake.name }) }, many(lake.failed, "unreadable file")) : null);

const oneLake = (lake) => h("p.quiet", {}, lake.crawled ? `Crawled ${moment(lake.crawled)}. ` : null, failed(lake));

const lakeCard = (lake) =>
  h("li.card", {}, h("a.strong", { href: to("", "", { lake: lake.name }) }, lake.name), h("span", {}, many(lake.tables, "table"), " · ", many(lake.columns, "column")),
    h("span.quiet", {}, lake.crawled ? `crawled ${moment(lake.crawled)}` : "", lake.failed ? " · " : "", failed(lake)));

/** Tables as rows, with a button for the next page. */
function tableList(first, next) {
  const body = h("tbody");
  const foot = h("div");
  let shown = 0;
  const add = (found) => {
    shown += found.items.length;
    body.append(...found.items.map(row));
    put(foot, moreButton(shown, found.total, () => pending(foot, "tables", async () => (add(await next(found.next)), [...foot.childNodes]))));
  };
  add(first);
  const head = h("tr", {}, h("th", { scope: "col" }, "Table"), h("th.number", { scope: "col" }, "Rows"), h("th.number", { scope: "col" }, "Columns"));
  return [h("table.list", {}, h("caption.aside", {}, "Tables"), h("thead", {}, head), body), foot];
}

const row = (table) => h("tr", { data: { item: "" } }, h("td", {}, tableLink(table)), h("td.number", {}, count(table.rows)), h("td.number", {}, count(table.columns)));
