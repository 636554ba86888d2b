/** Suggestions of names, for the search field and for fields that want a table. */

import { address, ask } from "../lib/api.js";
import { count } from "../lib/format.js";
import { to } from "../lib/route.js";
import { combobox } from "./combobox.js";

/** Tables and columns by what was typed so far. */
export async function columnItems(text, signal) {
  const { items } = await ask(address("/v1/suggestions", { q: text.slice(0, 200), k: 10 }), { signal });
  return items.map((each) => ({ ...each, mark: each.kind, detail: each.kind === "table" ? each.lake : each.count > 1 ? `in ${count(each.count)} tables` : `${each.lake}/${each.table}` }));
}

/** Where a suggestion leads: to its table or column, or to the list of all columns that have its name. */
export const placeOf = (item) => (item.count > 1 ? to("search", "", { q: item.text, of: "columns" }) : to(item.kind, item.id));

/** Tables only. */
async function tableItems(text, signal) {
  const { items } = await ask(address("/v1/suggestions", { q: text.slice(0, 200), k: 60 }), { signal });
  const tables = items.filter((each) => each.kind === "table").slice(0, 10);
  return tables.map((each) => ({ ...each, mark: "table", detail: each.lake }));
}

/** A field that wants a table; `choose` gets its suggestion. */
export const tableField = (label, value, choose) => combobox({ label, placeholder: label, value, load: tableItems, choose });
