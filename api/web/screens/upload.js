/** What joins with a file, or with pasted values, that are not in the lake. */

import { ask } from "../lib/api.js";
import { h, put } from "../lib/dom.js";
import { count } from "../lib/format.js";
import { kind } from "../parts/bits.js";
import { hitCard } from "../parts/hit.js";
import { empty, pending } from "../parts/states.js";

const K = 20;

export function show(place) {
  document.title = "Ask with a file · tablelens";
  const columns = h("section", { "aria-label": "Columns of the file" });
  const joins = h("section", { "aria-label": "Joins" });
  const input = h("input", { type: "file", id: "file", onchange: () => input.files[0] && read(input.files[0]) });
  const drop = h(
    "label.drop",
    {
      for: "file",
      ondragover: (event) => (event.preventDefault(), drop.classList.add("over")),
      ondragleave: () => drop.classList.remove("over"),
      ondrop: (event) => {
        event.preventDefault();
        drop.classList.remove("over");
        if (event.dataTransfer.files[0]) read(event.dataTransfer.files[0]);
      },
    },
    h("b", {}, "Choose a file, or drop it here"),
    h("span.quiet", {}, "CSV, Parquet, JSON, Excel … It is read by the service and removed at once."),
    input,
  );
  const values = h("textarea", { id: "values", rows: "5", spellcheck: "false", placeholder: "Paris\nRome\nOslo" });
  const paste = h(
    "form.paste",
    {
      onsubmit: (event) => {
        event.preventDefault();
        put(columns);
        const given = values.value.split("\n").map((line) => line.trim()).filter(Boolean);
        if (given.length) find("the values", () => ask("/v1/joins", { method: "POST", json: { values: given, k: K } }), "these values");
      },
    },
    h("label", { for: "values" }, h("b", {}, "Or paste values, one a line")),
    values,
    h("button", {}, "Find joins"),
  );
  put(place, h("h1", {}, "Ask with a file"), h("p.lead", {}, "Which columns of the lake join with a column of yours? Nothing of it is kept."), h("div.ask", {}, drop, paste), columns, joins);

  function read(file) {
    put(joins);
    pending(columns, "the columns of the file", async (signal) => {
      const form = new FormData();
      form.set("file", file);
      const found = await ask("/v1/joins/file/columns", { method: "POST", form, signal });
      if (!found.length) return empty("The file has no columns.");
      const row = (column) => {
        const button = h("button", { "aria-pressed": "false", onclick: () => choose(button, file, column) }, "Find joins");
        return h(
          "tr",
          { data: { item: "" } },
          h("th", { scope: "row" }, h("div", {}, column.sheet ? `${column.sheet} · ` : "", column.name || "(no name)"), kind(column.kind)),
          h("td.number", {}, count(column.distinct)),
          h("td.quiet.examples-cell", {}, column.excluded ? `joins with nothing: ${column.excluded}` : column.examples.join(" · ")),
          h("td", {}, button),
        );
      };
      const head = h("tr", {}, h("th", { scope: "col" }, "Column"), h("th.number", { scope: "col" }, "Distinct"), h("th", { scope: "col" }, "Values"), h("th", { scope: "col" }, h("span.aside", {}, "Find joins")));
      return [h("h2", {}, file.name), h("div.scroll", { tabindex: "0", role: "region", "aria-label": "Columns of the file" }, h("table.list", {}, h("thead", {}, head), h("tbody", {}, found.map(row))))];
    });
  }

  function choose(button, file, column) {
    for (const other of columns.querySelectorAll("[aria-pressed]")) other.setAttribute("aria-pressed", String(other === button));
    const form = new FormData();
    for (const [name, value] of Object.entries({ column: column.name, sheet: column.sheet, k: K })) form.set(name, value);
    form.set("file", file);
    find("joins", (signal) => ask("/v1/joins/file", { method: "POST", form, signal }), column.name);
  }

  function find(what, work, name) {
    const done = pending(joins, what, async (signal) => {
      const answer = await work(signal);
      const notes = answer.notes.length ? h("ul.notes", {}, answer.notes.map((text) => h("li", {}, text))) : null;
      const state = { open: false, rows: false, onchange: () => {} };
      const hits = answer.hits.map((hit) => hitCard(hit, { column: name }, state));
      return [h("h2", { tabindex: "-1" }, `Columns that join with ${name}`), notes, hits.length ? h("ol.hits", {}, hits) : empty("None found.", "No column of the lake joins with it with enough certainty.")];
    });
    done.then(() => joins.querySelector("h2")?.focus());
  }
}
