/** Numbers, shares, dates and names as people read them. */

const whole = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });
const short = new Intl.NumberFormat("en", { notation: "compact", maximumSignificantDigits: 3 });
const figure = new Intl.NumberFormat("en", { maximumSignificantDigits: 4, useGrouping: "min2" }); // 1884 is a year

/** 1234567 → 1,234,567 */
export const count = (n) => whole.format(n);
/** 1234567 → 1.23M */
export const compact = (n) => (Math.abs(n) < 10000 ? figure.format(n) : short.format(n));
/** "1 table", "2 tables" */
export const many = (n, one, more = `${one}s`) => `${count(n)} ${n === 1 ? one : more}`;

/** A share between 0 and 1: never 0 % where there is something, never 100 % where something lacks. */
export function percent(share) {
  if (share > 0 && share < 0.01) return "<1 %";
  if (share < 1 && share > 0.99) return ">99 %";
  return `${Math.round(100 * share)} %`;
}

/** A value at the edge of a histogram: a number, or a date where the edges are seconds since 1970. */
export function edge(value, isDate) {
  if (!isDate) return compact(value);
  const date = new Date(value * 1000);
  return Number.isNaN(date.getTime()) ? figure.format(value) : date.toISOString().slice(0, 10);
}

/** An ISO date as "25 Nov 2026, 17:50" of the reader's clock. */
export function moment(iso) {
  const date = new Date(iso);
  if (!iso || Number.isNaN(date.getTime())) return iso ?? "";
  return date.toLocaleString("en-GB", { day: "numeric", month: "short", year: "numeric", hour: "2-digit", minute: "2-digit" });
}

/** Text that begins with a capital letter. */
export const sentence = (text) => `${text.charAt(0).toUpperCase()}${text.slice(1)}`;

/** The last part of a path, which names a table in a list. */
export const fileName = (path) => path.slice(path.lastIndexOf("/") + 1);
/** The folders of a path, or nothing. */
export const folder = (path) => path.slice(0, path.lastIndexOf("/") + 1);

/** A cell as text; null is told apart from the text "null" by whoever shows it. */
export const cell = (value) => (typeof value === "string" ? value : JSON.stringify(value));
