/** The REST API: one way to ask, one shape of failure. */

const KEY = "tablelens.key";

/** What went wrong, as the API's problem details say it (RFC 9457). */
export class Problem extends Error {
  constructor(details) {
    super(details.detail || details.title || "the service did not say what went wrong");
    this.status = details.status ?? 0;
    this.code = details.code ?? "";
    this.hint = details.hint ?? "";
    this.requestId = details.request_id ?? "";
    this.errors = (details.errors ?? []).map((each) => [each.key, each.message].filter(Boolean).join(": "));
  }
}

export const key = () => sessionStorage.getItem(KEY) ?? "";
/** Keep an API key until the tab is closed; an empty one is forgotten. */
export function setKey(text) {
  if (text) sessionStorage.setItem(KEY, text);
  else sessionStorage.removeItem(KEY);
}

/** "/v1/tables" and { limit: 5, lake: "" } → "/v1/tables?limit=5"; what is empty is left out. */
export function address(path, parameters = {}) {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(parameters)) {
    if (value !== "" && value !== null && value !== undefined) query.set(name, value);
  }
  return query.size ? `${path}?${query}` : path;
}

/**
 * The answer of a route; throws Problem.
 * @param {string} path with its query
 * @param {{method?: string, json?: any, form?: FormData, signal?: AbortSignal, as?: "json"|"response", headers?: object}} how
 */
export async function ask(path, how = {}) {
  const headers = { Accept: "application/json", ...how.headers };
  if (key()) headers.Authorization = `Bearer ${key()}`;
  if (how.json !== undefined) headers["Content-Type"] = "application/json";
  const body = how.json !== undefined ? JSON.stringify(how.json) : how.form;
  let answer;
  try {
    answer = await fetch(path, { method: how.method ?? "GET", headers, body, signal: how.signal });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Problem({ title: "No answer", detail: "The service does not answer.", hint: "Is `tablelens serve` running?" });
  }
  if (!answer.ok) throw new Problem(await details(answer));
  if (how.as === "response") return answer;
  return answer.status === 204 ? null : answer.json();
}

async function details(answer) {
  try {
    return { status: answer.status, ...(await answer.json()) };
  } catch {
    return { status: answer.status, title: answer.statusText, detail: `The service answered ${answer.status} ${answer.statusText}.` };
  }
}

/**
 * Server-sent events of a route, one by one; after a lost connection it goes on behind the last one it had.
 * (EventSource sends no key.)
 * @yields {{event: string, data: any}}
 */
export async function* events(path, signal) {
  let last = "";
  for (let failures = 0; ; ) {
    try {
      const headers = last ? { Accept: "text/event-stream", "Last-Event-ID": last } : { Accept: "text/event-stream" };
      const answer = await ask(path, { as: "response", headers, signal });
      for await (const event of parse(answer.body)) {
        failures = 0;
        last = event.id || last;
        yield event;
      }
      return;
    } catch (error) {
      if (signal?.aborted || error.status || ++failures > 5) throw error;
      await new Promise((go) => setTimeout(go, 500 * failures));
    }
  }
}

async function* parse(stream) {
  const reader = stream.pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    const blocks = (text + value.replaceAll("\r", "")).split("\n\n");
    text = blocks.pop();
    for (const block of blocks) {
      const event = { id: "", event: "message", data: "" };
      for (const line of block.split("\n")) {
        const [, name, rest] = line.match(/^(\w+): ?(.*)$/s) ?? [];
        if (name === "data") event.data += rest;
        else if (name) event[name] = rest;
      }
      if (event.data) yield { ...event, data: JSON.parse(event.data) };
    }
  }
}

/** Save an answer as a file. */
export async function download(path, name) {
  const answer = await ask(path, { as: "response", headers: { Accept: "*/*" } });
  const link = document.createElement("a");
  link.href = URL.createObjectURL(await answer.blob());
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}
