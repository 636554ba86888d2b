/** A column that joins: how sure, how much of each side, and behind a button the proof, the SQL and the rows. */

import { address, ask, download } from "../lib/api.js";
import { freshId, h, put } from "../lib/dom.js";
import { compact, count, fileName, many, percent } from "../lib/format.js";
import { cells, columnLink, fact, facts, kind, shareBar, sqlBox, tableLink } from "./bits.js";
import { grid } from "./grid.js";
import { pending, problem } from "./states.js";

const ROWS = 50;
const CARDINALITY = {
  "1:1": "one row to one row",
  "1:n": "one row of this table meets several of theirs",
  "n:1": "several rows of this table meet one of theirs: a look-up",
  "n:m": "several rows meet several: the join repeats rows of both",
};

/**
 * One hit.
 * @param {object} hit as the API gives it
 * @param {object} asked its query: { column_id, column, distinct }; no id where the column is not of the lake
 * @param {{open: boolean, rows: boolean, onchange: (state: {open: boolean, rows: boolean}) => void}} state kept in the URL
 */
export function hitCard(hit, asked, state) {
  const id = freshId("why");
  const body = h("div.why", { id, hidden: true });
  const toggle = h("button.why-toggle", { "aria-expanded": "false", "aria-controls": id, onclick: () => show(body.hidden) }, "Why");
  function show(open) {
    body.hidden = !open;
    toggle.setAttribute("aria-expanded", String(open));
    if (open && !body.childElementCount) put(body, proof(hit, asked, state));
    state.onchange({ ...state, open });
  }
  const { evidence, column } = hit;
  const own = asked.column_id ? "this column" : "yours";
  const card = h(
    "li.hit",
    { data: { item: "" } },
    h("div.hit-sure", {}, h("b", {}, percent(hit.probability)), h("span", {}, "probable")),
    h("div.hit-name", {}, h("div.hit-title", {}, columnLink(column), kind(column.kind)), tableLink(column), verdictMark(hit)),
    h(
      "div.hit-bars",
      {},
      shareBar(evidence.containment, `of ${own} in theirs`),
      shareBar(evidence.reverse_containment, `of theirs in ${own}`, "other"),
      evidence.bridge ? shareBar(evidence.bridge.coverage, "arrive over a bridge", "bridge") : null,
    ),
    h("div.hit-how", {}, h("abbr.badge", { title: CARDINALITY[evidence.cardinality] }, evidence.cardinality), h("span.quiet", {}, `${compact(evidence.overlap)} shared`)),
    toggle,
    body,
  );
  if (state.open) {
    body.hidden = false;
    toggle.setAttribute("aria-expanded", "true");
    put(body, proof(hit, asked, state));
  }
  return card;
}

const verdictMark = ({ verdict }) =>
  verdict === true || verdict === false ? h("span.verdict-mark", { data: { joins: String(verdict) } }, verdict ? "confirmed by a person" : "rejected by a person") : null;

function proof(hit, asked, state) {
  const { evidence: e } = hit;
  const near = e.error > 0 ? ` (± ${percent(e.error)}, estimated)` : "";
  const known = Math.round(e.overlap / Math.max(e.containment, 1e-9));
  return [
    h("p.lead", {}, `${e.overlap ? count(e.overlap) : "None"} of this column’s ${e.overlap ? `${count(known)} ` : ""}distinct values stand in ${hit.column.table} as well${near}.`),
    hit.notes.length ? h("ul.notes", {}, hit.notes.map((note) => h("li", {}, note))) : null,
    e.bridge ? bridge(e.bridge) : null,
    h(
      "div.examples",
      {},
      h("section", {}, h("h4", {}, "Values that match"), e.matched.length ? cells(e.matched, "good") : h("p.quiet", {}, "None.")),
      h("section", {}, h("h4", {}, "Values that do not"), e.unmatched.length ? cells(e.unmatched) : h("p.quiet", {}, "None: every value has its match.")),
    ),
    facts(
      fact("Cardinality", `${e.cardinality}, ${CARDINALITY[e.cardinality] ?? ""}`),
      fact("Rows of the join", `${compact(e.join_rows)} (× ${compact(e.explosion)})`),
      fact("Jaccard", percent(e.jaccard)),
      e.cosine === null || e.cosine === undefined ? null : fact("Cosine of the vectors", e.cosine.toFixed(3)),
      e.spread === null || e.spread === undefined ? null : fact("Distributions alike", percent(e.spread)),
      fact("Held by other columns", hit.hub ? `${percent(hit.hub)} of all columns hold its typical value` : "rarely"),
    ),
    e.matching ? matches(e.matching) : null,
    sqlBox(hit.sql),
    asked.column_id && !e.matching ? cellByCell(hit, asked) : null,
    asked.column_id ? [verdictButtons(hit, asked), joinRows(hit, asked, state)] : null,
  ];
}

/** A button that has both columns compared cell by cell, which reads their files. */
function cellByCell(hit, asked) {
  const place = h("div");
  const compare = () =>
    pending(place, "the cells of both columns", async (signal) => {
      const { evidence, sql } = await ask(`/v1/columns/${asked.column_id}/joins/${hit.column.id}/evidence`, { signal });
      const found = evidence.matching;
      if (!found) return h("p.quiet", {}, "Nothing to add: the values that match are the cells that do.");
      return [matches(found), found.joined_by === "equality" ? null : sqlBox(sql)];
    });
  return [h("div.actions", {}, h("button", { onclick: compare }, "Compare cell by cell")), place];
}

/** Which cells stand for which: equal ones, ones that a transformation turns into the other's, ones written alike. */
function matches({ containment, equal, transformed, similar, transformation, turned, examples }) {
  const whose = turned === "left" ? "the cells of this column" : "their cells";
  return h(
    "section.matching",
    {},
    h("h4", {}, `Cell by cell ${percent(containment)} of the values match`),
    h("p.quiet", {}, `${count(equal)} equal, ${count(transformed)} transformed, ${count(similar)} written alike.`),
    transformation ? h("p", {}, `What turns ${whose} into the others: ${transformation}.`) : null,
    examples.length ? h("ul.cells", { data: { tone: "good" } }, examples.map(({ left, right }) => h("li", {}, `${left} ≈ ${right}`))) : null,
  );
}

/** The way over tables that hold both forms of the same things, a code and a name, say. */
function bridge({ steps, coverage, witnesses, examples }) {
  const step = ([near, far]) => h("li", {}, tableLink(near), ": ", columnLink(near), " stands beside ", columnLink(far));
  return h(
    "section.bridge",
    {},
    h("h4", {}, `Over a bridge ${percent(coverage)} of its values arrive`),
    h("ul.notes", {}, steps.map(step)),
    examples.length ? h("ul.cells", { data: { tone: "good" } }, examples.map(([from, to]) => h("li", {}, `${from} → ${to}`))) : null,
    h("p.quiet", {}, `${compact(witnesses)} tables on average give a value the same counterpart.`),
  );
}

function verdictButtons(hit, asked) {
  const path = `/v1/columns/${asked.column_id}/joins/${hit.column.id}/verdict`;
  const place = h("div.verdict", { role: "group", "aria-label": "Your verdict" });
  const draw = (said) =>
    put(
      place,
      h("span", {}, "Do they join?"),
      button("Yes, they join", true, said),
      button("No, they do not", false, said),
      said === null ? null : h("button.plain", { onclick: () => say(null) }, "Take it back"),
      h("span.quiet", { role: "status" }, said === null ? "" : said ? "You said: they join. They will rank first." : "You said: they do not join. They will not be shown again."),
    );
  const button = (text, joins, said) => h("button", { "aria-pressed": String(said === joins), onclick: () => say(joins) }, text);
  async function say(joins) {
    try {
      if (joins === null) await ask(path, { method: "DELETE" });
      else await ask(path, { method: "PUT", json: { joins } });
      hit.verdict = joins;
      draw(joins);
      place.querySelector("button").focus();
    } catch (error) {
      place.append(problem(error));
    }
  }
  draw(hit.verdict ?? null);
  return place;
}

function joinRows(hit, asked, state) {
  const path = `/v1/columns/${asked.column_id}/joins/${hit.column.id}/rows`;
  const place = h("div.join-rows");
  const run = h("button.primary", { onclick: start }, "Run the join");
  const csv = h("button", { onclick: save }, "Save as CSV");
  function start() {
    state.onchange({ open: true, rows: true });
    pending(place, "rows of the join", async (signal) => {
      const found = await ask(address(path, { rows: ROWS }), { signal });
      const label = `Rows of the join with ${hit.column.table}`;
      return found.rows.length ? grid(found, label, { marked: [asked.column, hit.column.name] }) : h("p.quiet", {}, "The join has no rows.");
    });
  }
  async function save() {
    csv.disabled = true;
    try {
      await download(address(path, { rows: 100_000, format: "csv" }), `${asked.column}-${fileName(hit.column.table)}.csv`);
    } catch (error) {
      put(place, problem(error, save));
    }
    csv.disabled = false;
  }
  if (state.open && state.rows) queueMicrotask(start);
  return [h("div.actions", {}, run, csv, h("span.quiet", {}, `shows the first ${many(ROWS, "row")}`)), place];
}
