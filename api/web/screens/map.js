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
const FEW = 3000;
const NAMED = 400;

export function show(place, { query }) {
  document.title = "Column map · tablelens";
  let map = { ids: [], names: [], tables: [], lakes: [], kinds: [], kind: [], x: [], y: [] };
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
    const seen = inView();
    if (seen.length > FEW) paint.putImageData(cloud(seen), 0, 0);
    else dots(paint, seen);
    const own = [selected, hovered].filter((i) => i >= 0);
    for (const i of own) ring(paint, plane.at(map.x[i], map.y[i]));
    const named = seen.length > NAMED ? [] : [...seen].filter((i) => !map.marked || map.marked[i]);
    const label = (must) => (i) => [plane.at(map.x[i], map.y[i])[0] + 9, plane.at(map.x[i], map.y[i])[1], map.names[i], must];
    labels(paint, [...own.map(label(true)), ...named.map(label(false))], { ink: plane.colour("--ink"), ground: plane.colour("--panel"), width: plane.size[0] });
  }

  /** The columns in the part of the plane that is seen. */
  function inView() {
    const [left, top] = plane.from(-9, -9);
    const [right, bottom] = plane.from(...plane.size.map((length) => length + 9));
    const off = KINDS.map((kind) => hidden.has(kind));
    const seen = new Int32Array(map.x.length);
    let n = 0;
    for (let i = 0; i < map.x.length; i++) {
      if (!off[map.kind[i]] && map.x[i] > left && map.x[i] < right && map.y[i] > top && map.y[i] < bottom) seen[n++] = i;
    }
    return seen.subarray(0, n);
  }

  function dots(paint, seen) {
    const colours = KINDS.map((kind) => plane.colour(`--kind-${kind}`));
    const dim = plane.colour("--line-strong");
    for (const i of seen) {
      const on = !map.marked || map.marked[i];
      paint.fillStyle = on ? colours[map.kind[i]] : dim;
      paint.globalAlpha = on ? 0.9 : 0.3;
      paint.beginPath();
      paint.arc(...plane.at(map.x[i], map.y[i]), seen.length > 1000 ? 3 : 5, 0, 7);
      paint.fill();
    }
    paint.globalAlpha = 1;
  }

  /** Many columns, pixel by pixel: a canvas draws some thousand shapes in the time of a frame, and no hundred thousand. */
  function cloud(seen) {
    const { width, height } = plane.canvas;
    const state = [width, height, plane.scale, ...plane.center, [...hidden], like, plane.colour("--ink")].join();
    if (map.picture?.state === state) return map.picture.image; // only the point under the mouse is another
    const image = new ImageData(width, height);
    const pixels = new Uint32Array(image.data.buffer);
    const ratio = width / plane.size[0];
    const side = Math.round((seen.length > 30_000 ? 1.5 : 3) * ratio);
    const colours = KINDS.map((kind) => packed(plane.colour(`--kind-${kind}`), 220));
    const dim = packed(plane.colour("--line-strong"), 70);
    const [x0, y0] = plane.at(0, 0);
    const dot = (i, colour, side) => {
      const px = Math.round((x0 + map.x[i] * plane.scale) * ratio - side / 2);
      const py = Math.round((y0 + map.y[i] * plane.scale) * ratio - side / 2);
      for (let y = Math.max(py, 0); y < Math.min(py + side, height); y++) pixels.fill(colour, y * width + Math.max(px, 0), y * width + Math.min(px + side, width));
    };
    if (map.marked) for (const i of seen) if (!map.marked[i]) dot(i, dim, side);
    for (const i of seen) if (!map.marked || map.marked[i]) dot(i, colours[map.kind[i]], map.marked ? Math.max(side, 3) : side);
    map.picture = { state, image };
    return image;
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
    const far = Array.from(map.x, (x, j) => [(x - map.x[i]) ** 2 + (map.y[j] - map.y[i]) ** 2, j]);
    return far.filter(([, j]) => j !== i && !hidden.has(map.kinds[j])).sort((a, b) => a[0] - b[0]).slice(0, NEIGHBOURS).map(([, j]) => j);
  }

  function load() {
    pending(body, "the map", async (signal) => {
      const [found, lakes] = await Promise.all([ask(address("/v1/map", { lake, limit: MOST }), { signal }), ask("/v1/lakes", { signal })]);
      map = { ...found, x: Float64Array.from(found.x), y: Float64Array.from(found.y), kind: Uint8Array.from(found.kinds, (kind) => KINDS.indexOf(kind)) };
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

/** "rgb(1, 2, 3)" as a pixel of an ImageData. */
function packed(colour, alpha) {
  const [red, green, blue] = colour.match(/[\d.]+/g).map(Number);
  return new Uint32Array(new Uint8ClampedArray([red, green, blue, alpha]).buffer)[0];
}
