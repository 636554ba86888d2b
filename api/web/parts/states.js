/** What stands where content is not there: it loads, there is none, or something went wrong. */

import { h, put } from "../lib/dom.js";
import { sentence } from "../lib/format.js";

/** Grey bars in place of what loads; said aloud as "loading". */
export function loading(what = "") {
  const bars = [92, 78, 85].map((width) => h("div.bone", { style: { width: `${width}%` } }));
  return h("div.loading", { role: "status" }, h("span.aside", {}, `Loading ${what}…`), bars);
}

/** Nothing is there, and what to do about it. */
export const empty = (title, ...hints) => h("div.empty", {}, h("p.empty-title", {}, title), hints.length ? h("p", {}, hints) : null);

/** A problem, in the API's own words. */
export function problem(error, retry) {
  return h(
    "div.problem",
    { role: "alert" },
    h("p.problem-title", {}, sentence(error.message)),
    error.hint ? h("p", {}, sentence(error.hint)) : null,
    (error.errors ?? []).map((text) => h("p", {}, text)),
    h("p.quiet", {}, [error.status || "", error.code, error.requestId && `request ${error.requestId}`].filter(Boolean).join(" · ")),
    retry ? h("button", { onclick: retry }, "Try again") : null,
  );
}

/**
 * A place that shows what a promise gives. A later call overtakes an earlier one; a failure is shown with a button.
 * `work(signal)` gives the children.
 */
export function pending(element, what, work) {
  element.abort?.abort();
  const control = (element.abort = new AbortController());
  element.classList.add("stack");
  element.setAttribute("aria-busy", "true");
  const wait = setTimeout(() => put(element, loading(what)), element.childElementCount ? 250 : 0);
  const done = (...children) => {
    clearTimeout(wait);
    if (control.signal.aborted) return;
    element.removeAttribute("aria-busy");
    put(element, ...children);
  };
  const failed = (error) => {
    if (error.name === "AbortError" || control.signal.aborted) return clearTimeout(wait);
    if (!error.status && !error.code && error.hint === undefined) console.error(error);
    if (error.status === 401) dispatchEvent(new CustomEvent("key-wanted"));
    done(problem(error, () => pending(element, what, work)));
  };
  return Promise.resolve(work(control.signal)).then((children) => done(children), failed);
}
