/** The page: its frame, and the screen that the URL names. */

import { address, ask, key, setKey } from "./lib/api.js";
import { h, put } from "./lib/dom.js";
import { go, here, to } from "./lib/route.js";
import { combobox } from "./parts/combobox.js";
import { columnItems, placeOf } from "./parts/suggest.js";
import { problem } from "./parts/states.js";

const SCREENS = new Set(["home", "search", "table", "column", "graph", "map", "upload", "crawls", "probes"]);
const NAVIGATION = [
  ["home", "Tables"],
  ["graph", "Join graph"],
  ["map", "Column map"],
  ["upload", "Ask with a file"],
  ["crawls", "Crawls"],
  ["probes", "Probes"],
];
const THEMES = ["auto", "light", "dark"];

const main = h("main", { id: "main", tabindex: "-1" });
const search = combobox({
  label: "Search tables and columns",
  placeholder: "Search tables and columns",
  hint: h("kbd", { "aria-hidden": "true" }, "/"),
  load: columnItems,
  choose: (item) => go(placeOf(item)),
  submit: (text) => go(to("search", "", { q: text })),
});
const links = NAVIGATION.map(([screen, text]) => h("a", { href: to(screen === "home" ? "" : screen), data: { screen } }, text));
const menu = h("nav", { id: "menu", "aria-label": "Main" }, links);
const menuButton = h("button.menu-button", { "aria-expanded": "false", "aria-controls": "menu", onclick: () => openMenu(!menu.classList.contains("open")) }, "Menu");
const themeButton = h("button.plain", { onclick: nextTheme });
const keyButton = h("button.plain", { onclick: () => keyDialog.showModal() }, "Key");
const keyDialog = keyForm();
const helpDialog = help();

function frame() {
  document.body.append(
    h("a.skip", { href: "#main", onclick: (e) => (e.preventDefault(), main.focus()) }, "Skip to the content"),
    h(
      "header.top",
      {},
      h("a.brand", { href: to("") }, h("img", { src: "icon.svg", alt: "", width: 24, height: 24 }), "tablelens"),
      h("search", {}, search.element),
      menuButton,
      menu,
      h("div.tools", {}, keyButton, themeButton),
    ),
    main,
    keyDialog,
    helpDialog,
  );
}

function openMenu(open) {
  menu.classList.toggle("open", open);
  menuButton.setAttribute("aria-expanded", String(open));
}

// theme ---------------------------------------------------------------------------------------------------------

function showTheme() {
  const theme = localStorage.getItem("tablelens.theme") ?? "auto";
  document.documentElement.dataset.theme = theme;
  put(themeButton, `Theme: ${theme}`);
  dispatchEvent(new CustomEvent("theme"));
}

function nextTheme() {
  const theme = document.documentElement.dataset.theme;
  localStorage.setItem("tablelens.theme", THEMES[(THEMES.indexOf(theme) + 1) % THEMES.length]);
  showTheme();
}

// key -----------------------------------------------------------------------------------------------------------

function keyForm() {
  const field = h("input", { type: "password", id: "key", autocomplete: "off", value: key() });
  const form = h(
    "form",
    { method: "dialog", onsubmit: () => (setKey(field.value.trim()), draw({ anew: true })) },
    h("h2", {}, "Key"),
    h("p", {}, "The service wants a key that may read a lake; whoever runs it makes one with ", h("code", {}, "tablelens keys create"), ". It is kept until this tab is closed."),
    h("label.field", {}, h("span", {}, "Key"), field),
    h("div.actions", {}, h("button.primary", {}, "Use it"), h("button", { type: "button", onclick: () => keyDialog.close() }, "Cancel")),
  );
  return h("dialog", { "aria-label": "Key" }, form);
}

function help() {
  const keys = [
    ["/", "to the search field"],
    ["↓ ↑ Enter", "through its suggestions"],
    ["j k", "to the next and the previous hit or table"],
    ["Esc", "close"],
    ["?", "this list"],
  ];
  return h(
    "dialog",
    { "aria-label": "Keys" },
    h("form", { method: "dialog" }, h("h2", {}, "Keys"), h("dl.keys", {}, keys.map(([name, does]) => h("div", {}, h("dt", {}, name.split(" ").map((each) => h("kbd", {}, each))), h("dd", {}, does)))),
      h("p.quiet", {}, "On the graph and the map: arrows go to the next point, Enter opens it, + and − zoom, Home shows all."),
      h("div.actions", {}, h("button.primary", {}, "Close"))),
  );
}

function onKey(event) {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.target.closest("input, select, textarea, dialog, [contenteditable]")) return;
  if (event.key === "/") search.input.focus();
  else if (event.key === "?") helpDialog.showModal();
  else if (event.key === "j" || event.key === "k") step(event.key === "j" ? 1 : -1);
  else return;
  event.preventDefault();
}

/** Focus the link of the next item of the screen's list. */
function step(by) {
  const items = [...main.querySelectorAll("[data-item]")];
  const at = items.findIndex((item) => item.contains(document.activeElement));
  const next = items[at < 0 && by < 0 ? -1 : at + by];
  next?.querySelector("a, button")?.focus();
}

// screens -------------------------------------------------------------------------------------------------------

let shown = { screen: null, id: null, update: null, close: null };
let turn = 0;

/** Draw the screen that the URL names; the one that is there is told of its new state instead, if it can take it. */
async function draw({ anew = false } = {}) {
  const { screen: name, id, query } = here();
  const screen = name || "home";
  openMenu(false);
  for (const link of links) {
    if (link.dataset.screen === screen) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  if (!anew && shown.screen === screen && shown.id === id && shown.update) return shown.update(query);
  const mine = ++turn;
  shown.close?.();
  if (!SCREENS.has(screen)) return put(main, heading("There is no such page"), h("p", {}, h("a", { href: to("") }, "All tables")));
  const { show } = await import(`./screens/${screen}.js`);
  if (mine !== turn) return;
  const first = shown.screen === null;
  const place = h("div.screen", { data: { screen } });
  put(main, place);
  shown = { screen, id, update: null, close: null, ...(show(place, { id, query }) ?? {}) };
  scrollBack();
  if (!first) main.focus({ preventScroll: true });
}

/** Where one comes back to, to the place that one left; elsewhere to the top. */
function scrollBack() {
  const wanted = history.state?.scroll ?? 0;
  history.replaceState({ scroll: wanted }, "");
  const until = performance.now() + 3000;
  const mine = turn;
  scrollTo(0, 0);
  const settle = () => {
    if (mine !== turn || performance.now() > until) return;
    if (document.documentElement.scrollHeight >= wanted + innerHeight) scrollTo(0, wanted);
    else requestAnimationFrame(settle);
  };
  if (wanted) settle();
}

const heading = (text) => h("h1", {}, text);

async function start() {
  frame();
  showTheme();
  addEventListener("hashchange", () => draw());
  addEventListener("keydown", onKey);
  history.scrollRestoration = "manual";
  addEventListener("scrollend", () => history.replaceState({ scroll: scrollY }, ""));
  addEventListener("key-wanted", () => keyDialog.open || keyDialog.showModal());
  draw();
  try {
    keyButton.hidden = !(await ask(address("/v1/status"))).keys;
  } catch (error) {
    if (error.status !== 401) main.prepend(problem(error));
  }
}

start();
