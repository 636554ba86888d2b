/** The values of a column at a glance: a histogram of numbers or dates, or the most frequent values. */

import { h, svg } from "../lib/dom.js";
import { count, edge, percent } from "../lib/format.js";

const OFTEN = 0.015; // a value that comes less often tells nothing by its frequency
const filled = ({ rows, nulls }) => Math.max(rows - nulls, 1);

/** A histogram with its edges written below it, or, of a column that has none, its frequent values as bars. */
export function distribution(profile, { top = 6 } = {}) {
  if (profile.histogram?.counts.length) return histogram(profile);
  const values = profile.top_values.slice(0, top);
  if (!values.length) return null;
  return values[0].count / filled(profile) > OFTEN ? frequent(values, profile) : sample(profile);
}

function histogram({ histogram: { edges, counts }, family, name }) {
  const most = Math.max(...counts, 1);
  const isDate = family === "date";
  const bars = counts.map((n, i) => {
    const height = n ? Math.max(1.5, (40 * n) / most) : 0;
    const range = `${edge(edges[i], isDate)} to ${edge(edges[i + 1], isDate)}`;
    return svg("rect", { x: i * 10, y: 40 - height, width: 9, height }, svg("title", {}, `${range}: ${count(n)}`));
  });
  const [first, last] = [edge(edges[0], isDate), edge(edges.at(-1), isDate)];
  const label = `Histogram of ${name}, ${first} to ${last}, at most ${count(most)} values a bar`;
  return h(
    "figure.histogram",
    {},
    svg("svg", { viewBox: `0 0 ${10 * counts.length} 40`, preserveAspectRatio: "none", role: "img", "aria-label": label }, bars),
    h("figcaption", {}, h("span", {}, first), h("span", {}, last)),
  );
}

function frequent(values, profile) {
  const most = values[0].count;
  const row = ({ value, count: n }) =>
    h(
      "li",
      { title: `${value}: ${count(n)} rows` },
      h("span.top-value", {}, value === "" ? h("i", {}, "empty text") : value),
      h("span.track", { "aria-hidden": "true" }, h("span.level", { style: { width: `${(100 * n) / most}%` } })),
      h("span.top-count", {}, percent(n / filled(profile))),
    );
  return h("ol.top-values", { "aria-label": `Most frequent values of ${profile.name}` }, values.map(row));
}

const sample = (profile) =>
  h("p.sample", { title: "Some of its values; none is frequent" }, profile.examples.slice(0, 12).join(" · "));
