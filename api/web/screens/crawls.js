/** Crawls: start one, watch it, stop it; and the files that could not be read. */

import { address, ask, events } from "../lib/api.js";
import { h, put } from "../lib/dom.js";
import { count, many, moment } from "../lib/format.js";
import { change, note, to } from "../lib/route.js";
import { fact, facts, moreButton } from "../parts/bits.js";
import { empty, pending, problem } from "../parts/states.js";

const OVER = new Set(["done", "failed", "cancelled"]);
const PAGE = 100;

export function show(place, { query }) {
  document.title = "Crawls · tablelens";
  const control = new AbortController();
  const lakes = h("div");
  const jobs = h("div");
  const failures = h("section", { "aria-label": "Files that could not be read" });
  put(place, h("h1", {}, "Crawls"), h("div.two", {}, h("div.stack", {}, h("h2", {}, "Progress"), jobs), h("div.stack", {}, h("h2", {}, "Lakes"), lakes)), failures);

  const loadLakes = () =>
    pending(lakes, "lakes", async (signal) => {
      const found = await ask("/v1/lakes", { signal });
      return [found.length ? h("ul.stack", {}, found.map(lakeCard)) : empty("Nothing has been crawled yet."), form()];
    });

  const lakeCard = (lake) =>
    h(
      "li.card",
      {},
      h("div.row", {}, h("a.strong", { href: to("", "", { lake: lake.name }) }, lake.name), h("button", { onclick: () => start({ lake: lake.name }), "aria-label": `Crawl ${lake.name} again` }, "Crawl again")),
      lake.root ? h("p.quiet", {}, lake.root) : null,
      h("p.quiet", {}, many(lake.tables, "table"), " · ", many(lake.columns, "column"), lake.crawled ? ` · ${moment(lake.crawled)}` : ""),
      lake.failed ? h("button.plain", { onclick: () => change({ lake: lake.name }) }, `${many(lake.failed, "file")} could not be read`) : null,
    );

  function form() {
    const path = h("input", { name: "path", required: true, placeholder: "/data/lake", autocomplete: "off", spellcheck: "false" });
    const name = h("input", { name: "lake", placeholder: "the folder’s", autocomplete: "off" });
    return h(
      "form.card",
      { onsubmit: (event) => (event.preventDefault(), start({ path: path.value.trim(), ...(name.value.trim() ? { lake: name.value.trim() } : {}) })) },
      h("h3", {}, "Crawl another folder"),
      h("label.field", {}, h("span", {}, "Folder on the server"), path),
      h("label.field", {}, h("span", {}, "Name of the lake"), name),
      h("div.actions", {}, h("button.primary", {}, "Crawl")),
    );
  }

  async function start(wanted) {
    try {
      await ask("/v1/crawls", { method: "POST", json: wanted, headers: { "Idempotency-Key": crypto.randomUUID?.() ?? String(Math.random()) } });
      loadJobs();
    } catch (error) {
      if (error.status === 401) dispatchEvent(new CustomEvent("key-wanted"));
      jobs.prepend(problem(error));
    }
  }

  const loadJobs = () =>
    pending(jobs, "crawls", async (signal) => {
      const { items } = await ask(address("/v1/crawls", { limit: 50 }), { signal });
      if (!items.length) return empty("No crawl since the service started.", "Those of the command line are not shown here; what they found is.");
      return h("ol.stack", {}, items.map((job) => jobCard(job)));
    });

  function jobCard(job) {
    const card = h("li.card", { data: { item: "" } });
    const bar = h("progress", { "aria-label": `Progress of the crawl of ${job.lake}` });
    const word = h("span.state", { role: "status" });
    const stage = h("span.quiet");
    const stop = h("button", { onclick: () => ask(`/v1/crawls/${job.id}`, { method: "DELETE" }).catch((error) => card.append(problem(error))) }, "Stop");
    const draw = () => {
      const over = OVER.has(job.state);
      word.dataset.state = job.state;
      put(word, job.state);
      bar.hidden = stop.hidden = over;
      if (job.total) (bar.max = job.total), (bar.value = job.done);
      put(stage, over ? `${moment(job.created)}` : job.stage ? `${job.stage} ${count(job.done)} of ${count(job.total)}` : job.state === "running" ? "begins" : "waits for its turn");
      put(card, h("div.row", {}, h("div.row", {}, h("b", {}, job.lake), word), stop), bar, stage, job.error ? h("p.problem-title", {}, job.error) : null, job.report ? report(job.report) : null);
    };
    draw();
    if (!OVER.has(job.state)) follow(job, draw, card);
    return card;
  }

  async function follow(job, draw, card) {
    try {
      for await (const { event, data } of events(`/v1/crawls/${job.id}/events`, control.signal)) {
        if (event === "progress") Object.assign(job, { state: "running", stage: data.stage, done: data.done, total: data.total });
        else Object.assign(job, { state: data.state, report: data.report ?? job.report, error: data.error ?? "" });
        draw();
      }
      if (OVER.has(job.state)) loadLakes();
    } catch (error) {
      if (!control.signal.aborted) card.append(problem(error));
    }
  }

  function report(found) {
    return facts(
      fact("tables", count(found.tables)), fact("columns", count(found.columns)), fact("files read", count(found.read)), fact("unchanged", count(found.skipped)),
      fact("removed", count(found.removed)), fact("unreadable", found.failed.length ? h("a", { href: to("crawls", "", { lake: found.lake }) }, count(found.failed.length)) : "0"), fact("seconds", found.seconds.toFixed(1)),
    );
  }

  function loadFailures(lake) {
    if (!lake) return put(failures);
    pending(failures, "files", async (signal) => {
      const page = (cursor) => ask(address(`/v1/lakes/${encodeURIComponent(lake)}/failures`, { cursor, limit: PAGE }), { signal });
      const body = h("tbody");
      const foot = h("div");
      let shown = 0;
      const add = (found) => {
        shown += found.items.length;
        body.append(...found.items.map((file) => h("tr", {}, h("td", {}, file.path), h("td", {}, file.reason), h("td", {}, file.error))));
        put(foot, moreButton(shown, found.total, async () => add(await page(found.next))));
      };
      const first = await page("");
      const title = h("h2", {}, `Files of ${lake} that could not be read`);
      if (!first.total) return [title, empty("None: every file was read.")];
      add(first);
      const head = h("tr", {}, ["File", "Reason", "What was wrong"].map((text) => h("th", { scope: "col" }, text)));
      return [title, h("button.plain", { onclick: () => (note({ lake: "" }), put(failures)) }, "Close"), h("table.list", {}, h("thead", {}, head), body), foot];
    });
  }

  loadLakes();
  loadJobs();
  loadFailures(query.lake);
  return { update: (next) => loadFailures(next.lake), close: () => control.abort() };
}
