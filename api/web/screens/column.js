/** A column: what it holds, and what joins with it. */

import { address, ask } from "../lib/api.js";
import { h, later, put } from "../lib/dom.js";
import { compact, count, percent } from "../lib/format.js";
import { change, note, to } from "../lib/route.js";
import { cells, choice, fact, facts, KINDS, kind, tableLink } from "../parts/bits.js";
import { hitCard } from "../parts/hit.js";
import { distribution } from "../parts/histogram.js";
import { empty, pending } from "../parts/states.js";

const MODES = [["auto", "by value and meaning"], ["equi", "by equal values"], ["semantic", "by meaning"], ["deepjoin", "by vectors only"]];
const STEP = 20;
const FILTERS = ["mode", "kind", "lake", "tables", "threshold", "k"];

export function show(place, { id, query }) {
  const path = `/v1/columns/${encodeURIComponent(id)}`;
  let update = null;
  pending(place, "the column", async (signal) => {
    const [profile, lakes] = await Promise.all([ask(path, { signal }), ask("/v1/lakes", { signal })]);
    document.title = `${profile.name} · tablelens`;
    const filters = h("div.filters");
    const list = h("div");
    let before = null;
    update = (next) => {
      const wanted = Object.fromEntries(FILTERS.map((name) => [name, next[name] ?? ""]));
      if (JSON.stringify(wanted) === before) return;
      before = JSON.stringify(wanted);
      if (!filters.contains(document.activeElement)) put(filters, controls(wanted, lakes));
      joins(list, path, profile, wanted, next);
    };
    update(query);
    return [
      h("p.crumbs", {}, tableLink(profile)),
      h("div.title", {}, h("h1", {}, profile.name || "(no name)"), kind(profile.kind), profile.key ? h("span.badge", {}, "key") : null),
      h("div.column-page", {}, h("section.side", { "aria-label": "Profile" }, about(profile)), h("section", { "aria-label": "Joins" }, h("h2", {}, "Columns that join with it"), filters, list)),
    ];
  });
  return { update: (next) => update?.(next) };
}

function about(profile) {
  const range = profile.minimum !== null && profile.minimum !== "" ? fact("range", `${profile.minimum} … ${profile.maximum}`) : null;
  return [
    h("h2", {}, "Profile"),
    distribution(profile),
    facts(
      fact("rows", count(profile.rows)),
      fact("distinct", profile.exact ? count(profile.distinct) : `about ${compact(profile.distinct)}`),
      fact("null", profile.rows ? `${count(profile.nulls)} (${percent(profile.nulls / profile.rows)})` : "0"),
      fact("type", profile.type),
      range,
      fact("length", `${compact(profile.min_length)} to ${compact(profile.max_length)} characters`),
      profile.original_name && profile.original_name !== profile.name ? fact("name in the file", profile.original_name) : null,
    ),
    profile.excluded ? h("p.notice", {}, `Takes no part in joins: ${profile.excluded}`) : null,
    profile.examples.length ? h("details", {}, h("summary", {}, "Examples of its values"), cells(profile.examples.slice(0, 30))) : null,
    h("a.button", { href: to("map", "", { column: profile.id }) }, "Show it on the map"),
  ];
}

function controls(wanted, lakes) {
  const pattern = h("input", { type: "search", value: wanted.tables, placeholder: "any", autocomplete: "off", spellcheck: "false", oninput: later(() => change({ tables: pattern.value.trim() }, { replace: true }), 300) });
  return [
    choice("Joins", MODES, wanted.mode || "auto", (mode) => change({ mode: mode === "auto" ? "" : mode, k: "" })),
    choice("Kind", [["", "any"], ...KINDS.slice(0, -1)], wanted.kind, (kind) => change({ kind })),
    lakes.length > 1 ? choice("Lake", [["", "any"], ...lakes.map((lake) => lake.name)], wanted.lake, (lake) => change({ lake })) : null,
    h("label.field", {}, h("span", {}, "Tables like"), pattern),
    choice("At least", [["", "10 % probable"], ["0", "show all"], ["0.5", "50 % probable"], ["0.9", "90 % probable"]], wanted.threshold, (threshold) => change({ threshold })),
  ];
}

function joins(list, path, profile, wanted, opened) {
  const k = Number(wanted.k) || STEP;
  pending(list, "joins", async (signal) => {
    const answer = await ask(address(`${path}/joins`, { ...wanted, k }), { signal });
    if (!answer.hits.length) {
      return [empty("None found.", "No column of the lake joins with this one with enough certainty. Loosen the filters, or show those that are less probable too."), notes(answer)];
    }
    const asked = { column_id: profile.id, column: profile.name };
    const card = (hit) => {
      const mine = opened.hit === hit.column.id;
      const onchange = ({ open, rows }) => note({ hit: open ? hit.column.id : "", rows: open && rows ? "1" : "" });
      return hitCard(hit, asked, { open: mine, rows: mine && opened.rows === "1", onchange });
    };
    const more = answer.hits.length >= k ? h("button", { onclick: () => change({ k: k + STEP }, { replace: true }) }, "Show more") : null;
    return [notes(answer), h("ol.hits", {}, answer.hits.map(card)), h("div.more", {}, more), h("p.quiet", {}, `Found in ${compact(1000 * answer.seconds)} ms, index generation ${answer.generation}.`)];
  });
}

const notes = (answer) => (answer.notes.length ? h("ul.notes", {}, answer.notes.map((text) => h("li", {}, text))) : null);
