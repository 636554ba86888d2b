/** A text field that suggests (the combobox pattern of the ARIA practices: focus stays in the field). */

import { freshId, h, later, put } from "../lib/dom.js";

/**
 * @param {object} how
 * @param {string} how.label what the field is for
 * @param {(text: string, signal: AbortSignal) => Promise<{text, detail, mark}[]>} how.load suggestions
 * @param {(item: object) => void} how.choose one of them was chosen
 * @param {(text: string) => void} [how.submit] Enter, and none is marked
 */
export function combobox({ label, placeholder = "", value = "", load, choose, submit, hint = null }) {
  const listId = freshId("list");
  const list = h("ul.options", { id: listId, role: "listbox", "aria-label": `Suggestions: ${label}`, hidden: true });
  const input = h("input", {
    type: "search", role: "combobox", "aria-label": label, "aria-autocomplete": "list", "aria-expanded": "false",
    "aria-controls": listId, autocomplete: "off", spellcheck: "false", placeholder, value,
    oninput: () => look(), onkeydown: onKey, onblur: () => setTimeout(close, 120),
  });
  const said = h("span.aside", { "aria-live": "polite" });
  let items = [];
  let marked = -1;
  let control = new AbortController();

  const look = later(async () => {
    control.abort();
    control = new AbortController();
    const { signal } = control;
    const text = input.value.trim();
    if (!text) return close();
    try {
      items = await load(text, signal);
    } catch {
      items = []; // the field is of use without suggestions; what is wrong is said by the screen
    }
    if (!signal.aborted && document.activeElement === input) open();
  }, 120);

  function open() {
    marked = -1;
    put(list, items.map(option));
    list.hidden = !items.length;
    input.setAttribute("aria-expanded", String(items.length > 0));
    input.removeAttribute("aria-activedescendant");
    put(said, items.length ? `${items.length} suggestions` : "no suggestions");
  }

  function option(item, i) {
    return h(
      "li",
      { role: "option", id: `${listId}-${i}`, "aria-selected": "false", onmousedown: (e) => (e.preventDefault(), take(i)) },
      h("span.option-mark", {}, item.mark),
      h("span.option-text", {}, item.text),
      h("span.option-detail", {}, item.detail),
    );
  }

  function close() {
    control.abort();
    items = [];
    list.hidden = true;
    input.setAttribute("aria-expanded", "false");
    input.removeAttribute("aria-activedescendant");
  }

  function mark(i) {
    list.children[marked]?.setAttribute("aria-selected", "false");
    marked = (i + items.length) % items.length;
    const option = list.children[marked];
    option.setAttribute("aria-selected", "true");
    option.scrollIntoView({ block: "nearest" });
    input.setAttribute("aria-activedescendant", option.id);
  }

  function take(i) {
    const item = items[i];
    input.value = item.text;
    close();
    choose(item);
  }

  function onKey(event) {
    const isOpen = !list.hidden;
    if (event.key === "ArrowDown" && isOpen) mark(marked + 1);
    else if (event.key === "ArrowUp" && isOpen) mark(marked < 0 ? items.length - 1 : marked - 1);
    else if (event.key === "ArrowDown") look();
    else if (event.key === "Escape" && isOpen) close();
    else if (event.key === "Enter" && isOpen && marked >= 0) take(marked);
    else if (event.key === "Enter" && submit && input.value.trim()) {
      close();
      submit(input.value.trim());
    } else return;
    event.preventDefault();
  }

  return { element: h("div.combobox", {}, input, hint, list, said), input };
}
