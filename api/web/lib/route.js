/**
 * All state that is worth a link lies in the URL's fragment: "#/column/ID?mode=equi&hit=ID".
 * A step that one would want to go back over is a new entry of the history; a filter that is being typed is not.
 */

/** The fragment of a place: to("column", id, { mode: "equi" }); what is empty is left out. */
export function to(screen, id = "", parameters = {}) {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(parameters)) {
    if (value !== "" && value !== null && value !== undefined && value !== false) query.set(name, value);
  }
  const path = `#/${[screen, id].filter(Boolean).map(encodeURIComponent).join("/")}`;
  return query.size ? `${path}?${query}` : path;
}

/** The present place: { screen, id, query }. */
export function here() {
  const [path, query = ""] = location.hash.replace(/^#\/?/, "").split("?", 2);
  const [screen = "", id = ""] = path.split("/").map(decoded);
  return { screen, id, query: Object.fromEntries(new URLSearchParams(query)) };
}

function decoded(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/** Go somewhere; `replace` leaves no entry in the history. */
export function go(hash, { replace = false } = {}) {
  if (hash === location.hash) return;
  if (!replace) location.hash = hash;
  else {
    history.replaceState(history.state, "", hash);
    dispatchEvent(new HashChangeEvent("hashchange"));
  }
}

/** Note state in the URL without drawing the screen anew. */
export function note(parameters) {
  const { screen, id, query } = here();
  history.replaceState(history.state, "", to(screen, id, { ...query, ...parameters }));
}

/** Note state in the URL as a step that "back" undoes; the screen is drawn anew. */
export function change(parameters, how) {
  const { screen, id, query } = here();
  go(to(screen, id, { ...query, ...parameters }), how);
}
