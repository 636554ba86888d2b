/** Which tables join with which, and over which tables one gets from one to another. */

import { address, ask } from "../lib/api.js";
import { h, later, put } from "../lib/dom.js";
import { count, fileName, many, percent } from "../lib/format.js";
import { Layout } from "../lib/force.js";
import { change, go, note, to } from "../lib/route.js";
import { choice, columnLink, sqlBox, tableLink } from "../parts/bits.js";
import { labels, Plane } from "../parts/plane.js";
import { empty, pending, problem } from "../parts/states.js";
import { tableField } from "../parts/suggest.js";

const SURE = [["0.5", "50 %"], ["0.8", "80 %"], ["0.9", "90 %"], ["0.95", "95 %"]];
const SIZES = ["50", "100", "200", "400"];
const LISTED = 40;

export function show(place, { query }) {
  document.title = "Join graph · tablelens";
  const state = { nodes: [], edges: [], ends: [], degree: [], like: "", alone: false, path: null, wanted: null };
  const layout = new Layout();
  const bodyPlace = h("div");
  const filters = h("div.filters");
  const said = h("p.quiet", { role: "status" });
  const side = h("section.stack", { "aria-label": "Selected table" });
  const paths = h("section.paths", { "aria-label": "Path between two tables" });
  let control = new AbortController();
  let closed = false;

  const plane = new Plane({
    label: "Graph of the tables that join",
    points: () => ({ x: layout.x, y: layout.y, hidden: (i) => isHidden(i) }),
    name: (i) => `${state.nodes[i].lake}/${state.nodes[i].name}, ${many(state.degree[i], "join")}`,
    select: (i) => (note({ at: state.nodes[i]?.id ?? "" }), about(i)),
    open: (i) => go(to("table", state.nodes[i].id)),
    draw,
  });

  const isHidden = (i) => !state.alone && !state.degree[i] && state.nodes[i].id !== state.wanted.table;

  put(place, h("h1", {}, "Join graph"), filters, h("div.with-side", {}, h("div.stack", {}, bodyPlace, said), h("div.side-panel", {}, paths, side)));

  // the graph ---------------------------------------------------------------------------------------------------

  function load(wanted) {
    control.abort();
    control = new AbortController();
    const { signal } = control;
    pending(bodyPlace, "the graph", async () => {
      const first = await look(wanted, signal);
      if (!first.nodes.length) return empty("There are no tables yet.");
      take(first);
      more(first, wanted, signal);
      queueMicrotask(() => {
        plane.fit();
        const at = state.nodes.findIndex((node) => node.id === (wanted.at || wanted.table));
        plane.select(at, { quiet: true });
        about(at);
      });
      return plane.element;
    });
  }

  const look = ({ table, depth, lake, threshold, limit }, signal) =>
    ask(address("/v1/graph", { table, depth: table ? depth : "", lake, threshold, limit }), { signal });

  /** The service looks joins up for two seconds at a time; what it found so far is shown meanwhile. */
  async function more(found, wanted, signal) {
    try {
      for (let known = -1; !found.complete && found.looked_up > known; ) {
        known = found.looked_up;
        tell(found, true);
        found = await look(wanted, signal);
        take(found);
      }
      tell(found, false);
    } catch (error) {
      if (error.name !== "AbortError") put(said, problem(error));
    }
  }

  function tell(found, busy) {
    const alone = state.degree.filter((degree) => !degree).length;
    put(said, `${count(state.nodes.length)} tables, ${many(state.edges.length, "join")}`, alone && !state.alone ? `; ${count(alone)} without a join are not shown` : "", busy ? `; looking on, ${count(found.looked_up)} tables so far …` : found.complete ? "." : ". There are more tables: name one in the middle, or show more.");
  }

  function take(found) {
    const before = new Map(state.nodes.map((node, i) => [node.id, i]));
    state.nodes = found.nodes;
    state.edges = found.edges;
    addPath();
    const number = new Map(state.nodes.map((node, i) => [node.id, i]));
    state.number = number;
    state.ends = state.edges.map((edge) => [number.get(edge.left.table_id), number.get(edge.right.table_id)]);
    state.degree = state.nodes.map(() => 0);
    for (const [a, b] of state.ends) (state.degree[a]++, state.degree[b]++);
    const changed = before.size !== state.nodes.length || layout.edges?.length !== state.ends.length;
    if (changed) layout.set(state.nodes.length, state.ends, state.nodes.map((node) => before.get(node.id) ?? -1));
    else layout.edges = state.ends;
    settle();
  }

  function settle() {
    if (closed) return;
    if (matchMedia("(prefers-reduced-motion: reduce)").matches) while (!layout.done) layout.step();
    const until = performance.now() + 12;
    while (!layout.done && performance.now() < until) layout.step();
    if (plane.fitted || plane.fitted === undefined) plane.fit();
    else plane.redraw();
    if (!layout.done) requestAnimationFrame(settle);
  }

  function draw(paint, { selected, hovered }) {
    const [ink, line, accent, other, panel, quiet] = ["--ink", "--line-strong", "--accent", "--other", "--panel", "--quiet"].map((name) => plane.colour(name));
    const at = (i) => plane.at(layout.x[i], layout.y[i]);
    const like = state.like.toLowerCase();
    const on = (i) => !like || state.nodes[i].name.toLowerCase().includes(like);
    const onPath = new Set(state.path?.steps.map((step) => pair(step.left.table_id, step.right.table_id)));
    state.ends.forEach(([a, b], e) => {
      const edge = state.edges[e];
      const lit = a === selected || b === selected || a === hovered || b === hovered;
      const path = onPath.has(pair(edge.left.table_id, edge.right.table_id));
      paint.globalAlpha = path || lit ? 1 : selected >= 0 || like ? 0.18 : 0.45;
      paint.strokeStyle = path ? other : lit ? accent : line;
      paint.lineWidth = path ? 3.5 : lit ? 2 : 0.5 + edge.probability;
      paint.beginPath();
      paint.moveTo(...at(a));
      paint.lineTo(...at(b));
      paint.stroke();
    });
    const near = new Set(state.ends.filter((ends) => ends.includes(selected)).flat());
    const named = [];
    const order = state.nodes.map((_, i) => i).sort((a, b) => state.degree[b] - state.degree[a]);
    const pathTables = new Set(state.path?.steps.flatMap((step) => [step.left.table_id, step.right.table_id]));
    for (const i of order) {
      if (isHidden(i)) continue;
      const [px, py] = at(i);
      const path = pathTables.has(state.nodes[i].id);
      const radius = (4 + Math.min(Math.sqrt(state.degree[i]), 8)) * (plane.size[0] < 500 ? 0.7 : 1);
      const strong = i === selected || i === hovered || near.has(i) || path;
      paint.globalAlpha = 1;
      paint.fillStyle = panel; // edges end at the rim, also of a point that is dimmed
      paint.beginPath();
      paint.arc(px, py, radius, 0, 7);
      paint.fill();
      paint.globalAlpha = on(i) && (selected < 0 || strong) ? 1 : 0.35;
      paint.fillStyle = path ? other : i === selected || state.nodes[i].id === state.wanted.table ? accent : strong ? accent : quiet;
      paint.beginPath();
      paint.arc(px, py, radius, 0, 7);
      paint.fill();
      paint.strokeStyle = panel;
      paint.lineWidth = 1.5;
      paint.stroke();
      const text = fileName(state.nodes[i].name);
      if (i === selected || i === hovered) named.unshift([px + radius + 4, py, text, true]);
      else if (on(i) && (selected < 0 || strong)) named.push([px + radius + 4, py, text, false]);
    }
    paint.globalAlpha = 1;
    labels(paint, named, { ink, ground: panel, width: plane.size[0], gap: 14 });
  }

  function about(i) {
    if (i < 0) return put(side, h("p.quiet", {}, "Choose a table, by a click or with the arrow keys."), joinList(state.edges, "All joins"));
    const node = state.nodes[i];
    const own = state.edges.filter((edge) => edge.left.table_id === node.id || edge.right.table_id === node.id);
    put(
      side,
      h("h2", {}, tableLink(node)),
      h("p.quiet", {}, many(node.rows, "row"), " · ", many(node.columns, "column")),
      h("div.actions", {}, h("button", { onclick: () => change({ table: node.id, at: "" }) }, "Put in the middle"), h("button", { onclick: () => change({ from: node.id, to: "" }) }, "Path from here")),
      joinList(own, "Its joins", node.id),
    );
  }

  /** Joins as text, the surest first: the graph for those who do not see it. */
  function joinList(edges, title, from = "") {
    const line = (edge) => {
      const [left, right] = edge.right.table_id === from ? [edge.right, edge.left] : [edge.left, edge.right];
      return h("li", {}, h("span", {}, from ? null : [fileName(left.table), "."], columnLink(left), " = ", fileName(right.table), ".", columnLink(right)), h("span.number", {}, percent(edge.probability)));
    };
    const sorted = [...edges].sort((a, b) => b.probability - a.probability);
    const list = h("ol.lines.pairs", {}, sorted.slice(0, LISTED).map(line));
    const rest = sorted.length - LISTED;
    const more = rest > 0 ? h("button", { onclick: () => (list.append(...sorted.slice(LISTED).map(line)), more.remove()) }, `Show ${many(rest, "more join")}`) : null;
    return [h("h3", {}, title), edges.length ? list : h("p.quiet", {}, "None that is so sure."), more];
  }

  function drawFilters(wanted, lakes) {
    const like = h("input", { type: "search", value: state.like, placeholder: "part of a name", autocomplete: "off", oninput: later(() => ((state.like = like.value.trim()), note({ like: state.like }), plane.redraw()), 120) });
    const alone = h("input", { type: "checkbox", checked: state.alone, onchange: () => ((state.alone = alone.checked), note({ alone: state.alone ? "1" : "" }), plane.fit()) });
    const middle = tableField("All tables", "", (item) => change({ table: item.id, at: "" }));
    put(
      filters,
      h("div.field", {}, h("span", {}, "Around the table"), middle.element),
      wanted.table ? h("button", { onclick: () => change({ table: "", at: "" }) }, "All tables") : null,
      wanted.table ? choice("Joins away", ["1", "2", "3"], wanted.depth, (depth) => change({ depth })) : null,
      lakes.length > 1 ? choice("Lake", [["", "all lakes"], ...lakes.map((lake) => lake.name)], wanted.lake, (lake) => change({ lake })) : null,
      choice("Joins at least", SURE, wanted.threshold, (threshold) => change({ threshold })),
      choice("Tables", SIZES, wanted.limit, (limit) => change({ limit })),
      h("label.field", {}, h("span", {}, "Mark names like"), like),
      h("label.check", {}, alone, "tables without a join"),
    );
    if (wanted.table) ask(`/v1/tables/${wanted.table}`).then((table) => (middle.input.value = fileName(table.name)), () => {});
  }

  // paths -------------------------------------------------------------------------------------------------------

  function addPath() {
    for (const step of state.path?.steps ?? []) {
      for (const end of [step.left, step.right]) {
        if (!state.nodes.some((node) => node.id === end.table_id)) state.nodes = [...state.nodes, { id: end.table_id, lake: end.lake, name: end.table, rows: 0, columns: 0 }];
      }
      const known = state.edges.some((edge) => pair(edge.left.table_id, edge.right.table_id) === pair(step.left.table_id, step.right.table_id));
      if (!known) state.edges = [...state.edges, step];
    }
  }

  function drawPaths(wanted) {
    const ends = { from: tableField("From a table", "", (item) => change({ from: item.id })), to: tableField("To a table", "", (item) => change({ to: item.id })) };
    const found = h("div");
    put(
      paths,
      h("h2", {}, "Path between two tables"),
      h("div.path-ends", {}, h("div.field", {}, h("span", {}, "From"), ends.from.element), h("div.field", {}, h("span", {}, "To"), ends.to.element)),
      wanted.from || wanted.to ? h("button", { onclick: () => change({ from: "", to: "", path: "" }) }, "No path") : null,
      found,
    );
    for (const end of ["from", "to"]) {
      if (wanted[end]) ask(`/v1/tables/${wanted[end]}`).then((table) => (ends[end].input.value = fileName(table.name)), () => {});
    }
    state.path = null;
    if (!wanted.from || !wanted.to) return;
    pending(found, "paths", async (signal) => {
      const answer = await ask(address("/v1/paths", { from: wanted.from, to: wanted.to, k: 5 }), { signal });
      if (!answer.paths.length) return empty("No chain of at most three joins leads from the one to the other.");
      const chosen = Math.min(Number(wanted.path) || 0, answer.paths.length - 1);
      state.path = answer.paths[chosen];
      if (state.number) take({ nodes: state.nodes, edges: state.edges });
      return h("ol.plain.path-list", {}, answer.paths.map((path, i) => pathItem(path, i, i === chosen)));
    });
  }

  function pathItem(path, i, chosen) {
    const steps = path.steps.flatMap((step, at) => [
      at ? null : tableLink(step.left, { whole: false }),
      h("span.hop", {}, columnLink(step.left), " = ", columnLink(step.right), h("span.quiet", {}, ` ${step.evidence.cardinality}, ${percent(step.probability)}`)),
      tableLink(step.right, { whole: false }),
    ]);
    return h(
      "li.card",
      { data: chosen ? { item: "", chosen: "" } : { item: "" } },
      h("div.hops", {}, steps),
      h("div.row", {}, h("button", { "aria-pressed": String(chosen), onclick: () => change({ path: i || "" }, { replace: true }) }, chosen ? "Shown" : "Show"), h("b.number", {}, percent(path.probability))),
      h("details", {}, h("summary", {}, "SQL"), sqlBox(path.sql)),
    );
  }

  // state -------------------------------------------------------------------------------------------------------

  let lakes = null;
  async function update(next) {
    const wanted = { depth: "1", threshold: "0.8", limit: "100", table: "", lake: "", from: "", to: "", path: "", at: "", ...next };
    const changed = (...names) => !state.wanted || names.some((name) => state.wanted[name] !== wanted[name]);
    const [graph, path] = [changed("table", "depth", "lake", "threshold", "limit"), changed("from", "to", "path")];
    state.wanted = wanted;
    state.like = next.like ?? "";
    state.alone = next.alone === "1";
    if (path) drawPaths(wanted);
    if (!graph) return;
    load(wanted);
    lakes ??= await ask("/v1/lakes").catch(() => []);
    drawFilters(wanted, lakes);
  }
  update(query);
  return {
    update,
    close: () => {
      closed = true;
      control.abort();
      plane.close();
    },
  };
}

const pair = (a, b) => (a < b ? `${a} ${b}` : `${b} ${a}`);
