/** Probe results: which properties the embedding models have, with the figures and what moved them most. */

import { ask } from "../lib/api.js";
import { h, put } from "../lib/dom.js";
import { compact, count, moment } from "../lib/format.js";
import { change, go, to } from "../lib/route.js";
import { choice, fact, facts } from "../parts/bits.js";
import { empty, pending } from "../parts/states.js";

export function show(place, { id, query }) {
  document.title = "Probes · tablelens";
  const body = h("div");
  const detail = h("section.side-panel", { "aria-label": "One result" });
  let run = null;
  put(place, h("h1", {}, "Probes"), h("p.lead", {}, "Can the embeddings be trusted? Each row is a property, measured on tables that are changed in one way at a time; a figure comes with its 95 % interval."), body);
  pending(body, "probe runs", async (signal) => {
    const { items } = await ask("/v1/probes", { signal });
    if (!items.length) return empty("No probes have been run in this home.", h("code", {}, "tablelens probe run"), " runs them.");
    run = await ask(`/v1/probes/${encodeURIComponent(id || items[0].id)}`, { signal });
    const names = items.map((each) => [each.id, `${moment(each.started)}, ${each.preset}`]);
    queueMicrotask(() => update(query));
    return [
      h("div.filters", {}, choice("Run", names, run.id, (other) => go(to("probes", other)))),
      facts(fact("tables", count(run.dataset.tables ?? 0)), fact("data", run.dataset.name ?? ""), fact("models", run.models.map((model) => model.name).join(", ")), fact("took", `${count(run.seconds)} s`)),
      h("div.with-side", {}, matrix(run), detail),
    ];
  });
  function update(next) {
    if (!run) return;
    put(detail, one(run, next));
    for (const cell of body.querySelectorAll(".verdict-cell")) {
      cell.setAttribute("aria-pressed", String(["model", "property", "level"].every((name) => cell.dataset[name] === next[name])));
    }
    if (next.model) detail.scrollIntoView({ block: "nearest" });
  }
  return { update };
}

/** Properties down, models across. */
function matrix(run) {
  const models = run.models.map((model) => model.name);
  const rows = new Map();
  for (const result of run.results) {
    const name = `${result.property} ${result.level}`;
    if (!rows.has(name)) rows.set(name, { property: result.property, level: result.level, cells: new Map() });
    rows.get(name).cells.set(result.model, result);
  }
  const cell = (result) => {
    if (!result) return h("td", {}, "");
    const figure = result.estimates[result.headline];
    const known = !["not applicable", "degenerate"].includes(result.verdict) && figure;
    return h(
      "td",
      {},
      h("button.verdict-cell", { data: { verdict: result.verdict, model: result.model, property: result.property, level: result.level }, title: result.why, onclick: () => change({ model: result.model, property: result.property, level: result.level }, { replace: true }) },
        h("span", {}, result.verdict), known ? h("b", {}, number(figure.value)) : null, known ? h("span.quiet", {}, `${number(figure.low)} – ${number(figure.high)}`) : null),
    );
  };
  const head = h("tr", {}, h("th", { scope: "col" }, "Property"), h("th", { scope: "col" }, "Level"), models.map((name) => h("th", { scope: "col" }, name)));
  const body = [...rows.values()].map(({ property, level, cells }, i, all) =>
    h("tr", {}, h("th", { scope: "row" }, all[i - 1]?.property === property ? h("span.aside", {}, words(property)) : words(property)), h("td.quiet", {}, level), models.map((name) => cell(cells.get(name)))),
  );
  return h("div.scroll", { tabindex: "0", role: "region", "aria-label": "Results" }, h("table.list.matrix", {}, h("thead", {}, head), h("tbody", {}, body)));
}

function one(run, { model, property, level }) {
  const result = run.results.find((each) => each.model === model && each.property === property && each.level === level);
  if (!result) return h("p.quiet", {}, "Choose a cell to see its figures.");
  const estimates = Object.entries(result.estimates);
  const low = Math.min(0, ...estimates.map(([, each]) => each.low));
  const high = Math.max(1, ...estimates.map(([, each]) => each.high));
  return [
    h("h2", {}, `${words(property)}, ${level}, ${model}`),
    h("p.lead", {}, `${result.verdict}: ${result.why}`),
    facts(fact("tables", count(result.tables)), fact("variants", count(result.variants)), fact("faults", count(result.faults)), fact("stopped because", result.stopped || "–"),
      Object.entries(result.skipped).map(([reason, n]) => fact(`skipped: ${reason}`, count(n)))),
    h("h3", {}, "Measures"),
    intervals(estimates, low, high),
    Object.keys(result.curve).length ? [h("h3", {}, "By strength of the change"), intervals(Object.entries(result.curve).sort(([a], [b]) => a - b || 0), low, high)] : null,
    result.worst.length ? [h("h3", {}, "What moved the embedding most"), h("ul.notes", {}, result.worst.map((each) => h("li", {}, `${each.table}: ${each.what} (${number(each.value)})`)))] : null,
  ];
}

/** Estimates with their intervals on one scale. */
function intervals(items, low, high) {
  const at = (value) => `${(100 * (value - low)) / (high - low || 1)}%`;
  const row = ([name, each]) =>
    h(
      "li",
      {},
      h("span", {}, name),
      h("span.number", {}, number(each.value), h("span.quiet", {}, ` ${number(each.low)} – ${number(each.high)}`)),
      h("span.scale", { "aria-hidden": "true" }, h("span.range", { style: { left: at(each.low), width: `max(2px, ${at(each.high - each.low + low)})` } }), h("span.point", { style: { left: at(each.value) } })),
    );
  return h("ul.intervals", {}, items.filter(([, each]) => each.value !== null).map(row));
}

const number = (value) => (value === null || value === undefined ? "–" : Math.abs(value) < 10 ? value.toFixed(3) : compact(value));
const words = (name) => `${name[0].toUpperCase()}${name.slice(1).replaceAll("_", " ")}`;
