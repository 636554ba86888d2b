/** The columns in the plane: near one another where their vectors are. */

import { address, ask } from "../lib/api.js";
import { h, later, put } from "../lib/dom.js";
import { count, fileName } from "../lib/format.js";
import { change, go, note, to } from "../lib/route.js";
import { choice, KINDS } from "../parts/bits.js";
import { labels, Plane } from "../parts/plane.js";
import { empty, pending } from "../parts/states.js";

const MOST = 100_000;
const NEIGHBOURS = 10;

export function show(place, { query }) {
  document.title = "Column map · tablelens";
  let map = { ids: [], names: [], tables: [], lakes: [], kinds: [], x: [], y: [] };
  let hidden = new Set((query.hide ?? "").split(",").filter(Boolean));
  let like = query.like ?? "";
  let lake = null;
  const legend = h("div.actions", { role: "group", "aria-label": "Kinds" });
  const said = h("p.quiet", { role: "status" });
  const side = h("section.side-panel", { "aria-label": "Selected column" });
  const lakeField = h("div", { hidden: true });
  const field = h("input", { type: "search", value: like, placeholder: "part of a name", autocomplete: "off", oninput: later(typed, 150) });
  const plane = new Plane({
    label: "Map of the columns",
    points: () => ({ x: map.x, y: map.y, hidden: (i) => hidden.has(map.kinds[i]) }),
    name: (i) => `${map.names[i]} (${map.kinds[i]}) in ${map.lakes[i]}/${map.tables[i]}`,
    select: (i) => (note({ column: map.ids[i] ?? "" }), about(i)),
    open: (i) => go(to("column", map.ids[i])),
    draw,
  });
  const body = h("div");
  put(
    place,
    h("h1", {}, "Column map"),
    h("p.lead", {}, "Each point is a column. Columns whose names and values mean the like lie near one another; the plane shows the two directions in which their vectors differ most."),
    h("div.filters", {}, lakeField, h("label.field", {}, h("span", {}, "Mark names like"), field), legend),
    body,
  );

  function typed() {
    like = field.value.trim();
    note({ like });
    mark();
  }

  function mark() {
    const wanted = like.toLowerCase();
    map.marked = wanted ? map.names.map((name) => name.toLowerCase().includes(wanted)) : null;
    const found = map.marked ? `; ${count(map.marked.filter(Boolean).length)} named like “${like}”` : "";
    put(said, map.ids.length < map.total ? `${count(map.ids.length)} of ${count(map.total)} columns, a fixed sample${found}.` : `${count(map.total)} columns${found}.`);
    plane.redraw();
  }

  function drawLegend() {
    const numbers = {};
    for (const kind of map.kinds) numbers[kind] = (numbers[kind] ?? 0) + 1;
    const button = (kind) =>
      h("button.legend", { "aria-pressed": String(!hidden.has(kind)), data: { kind }, onclick: () => toggle(kind) }, h("span.dot", { "aria-hidden": "true" }), `${kind} ${count(numbers[kind])}`);
    put(legend, KINDS.filter((kind) => numbers[kind]).map(button));
  }

  function toggle(kind) {
    hidden = new Set(hidden.has(kind) ? [...hidden].filter((other) => other !== kind) : [...hidden, kind]);
    note({ hide: [...hidden].join(",") });
    drawLegend();
    legend.querySelector(`[data-kind="${kind}"]`).focus();
    plane.redraw();
  }

  function draw(paint, { selected, hovered }) {
    const [width, height] = plane.size;
    const colours = Object.fromEntries(KINDS.map((kind) => [kind, plane.colour(`--kind-${kind}`)]));
    const dim = plane.colour("--line-strong");
    const seen = [];
    const size = map.x.length > 20_000 ? 2 : map.x.length > 4000 ? 3 : 5;
    for (let i = 0; i < map.x.length; i++) {
      if (hidden.has(map.kinds[i])) continue;
      const [px, py] = plane.at(map.x[i], map.y[i]);
      if (px < -9 || py < -9 || px > width + 9 || py > height + 9) continue;
      seen.push(i, px, py);
    }
    const few = seen.length / 3 < 3000;
    for (let at = 0; at < seen.length; at += 3) {
      const [i, px, py] = [seen[at], seen[at + 1], seen[at + 2]];
      const on = !map.marked || map.marked[i];
      paint.fillStyle = on ? colours[map.kinds[i]] : dim;
      paint.globalAlpha = !on ? 0.2 : few ? 0.9 : 0.6;
      if (few) {
        paint.beginPath();
        paint.arc(px, py, size, 0, 7);
        paint.fill();
      } else paint.fillRect(px - size / 2, py - size / 2, size, size);
    }
    paint.globalAlpha = 1;
    for (const i of new Set([selected, hovered])) if (i >= 0) ring(paint, plane.at(map.x[i], map.y[i]));
    const named = [];
    for (let at = 0; at < seen.length && few; at += 3) {
      const i = seen[at];
      if (i === selected || i === hovered) named.unshift([seen[at + 1] + 9, seen[at + 2], map.names[i], true]);
      else if (seen.length / 3 < 400 && (!map.marked || map.marked[i])) named.push([seen[at + 1] + 9, seen[at + 2], map.names[i], false]);
    }
    labels(paint, named, { ink: plane.colour("--ink"), ground: plane.colour("--panel"), width });
  }

  function ring(paint, [px, py]) {
    paint.strokeStyle = plane.colour("--ink");
    paint.lineWidth = 2;
    paint.beginPath();
    paint.arc(px, py, 8, 0, 7);
    paint.stroke();
  }

  function about(i) {
    if (i < 0) return put(side, h("p.quiet", {}, "Choose a point, by a click or with the arrow keys."));
    const line = (j) => h("li", {}, h("a.name.strong", { href: to("column", map.ids[j]) }, map.names[j] || "(no name)"), " ", h("span.quiet", {}, fileName(map.tables[j])));
    put(
      side,
      h("h2", {}, map.names[i] || "(no name)"),
      h("p.quiet", {}, `${map.kinds[i]} in ${map.lakes[i]}/${map.tables[i]}`),
      h("a.button", { href: to("column", map.ids[i]) }, "What joins with it"),
      h("h3", {}, "Near it on the map"),
      h("ol.lines", {}, nearest(i).map(line)),
    );
  }

  function nearest(i) {
    const far = map.x.map((x, j) => [(x - map.x[i]) ** 2 + (map.y[j] - map.y[i]) ** 2, j]);
    return far.filter(([, j]) => j !== i && !hidden.has(map.kinds[j])).sort((a, b) => a[0] - b[0]).slice(0, NEIGHBOURS).map(([, j]) => j);
  }

  function load() {
    pending(body, "the map", async (signal) => {
      const [found, lakes] = await Promise.all([ask(address("/v1/map", { lake, limit: MOST }), { signal }), ask("/v1/lakes", { signal })]);
      map = found;
      if (!map.total) return empty("No column has a vector yet.");
      lakeField.hidden = lakes.length < 2;
      put(lakeField, choice("Lake", [["", "all lakes"], ...lakes.map((each) => each.name)], lake, (name) => change({ lake: name, column: "" })));
      drawLegend();
      mark();
      queueMicrotask(() => {
        plane.fit();
        const at = map.ids.indexOf(query.column);
        plane.select(at, { quiet: true });
        about(at);
        if (query.column && at < 0) put(side, empty("That column is not on the map.", "It has no vector, or is not of the sample."));
      });
      return h("div.with-side", {}, h("div.stack", {}, plane.element, said), side);
    });
  }

  function update(next) {
    if (lake === (next.lake ?? "")) return;
    lake = next.lake ?? "";
    load();
  }
  update(query);
  return { update, close: () => plane.close() };
}
