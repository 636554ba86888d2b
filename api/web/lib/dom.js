/**
 * Elements. Text from the lake becomes a text node or an attribute that is no code, never HTML: nothing in the page
 * parses a string as markup (a test looks for it).
 */

const SVG = "http://www.w3.org/2000/svg";

/**
 * An element: h("a.more", { href, onclick }, "text", child, [more children]).
 * Children that are null, undefined or false are left out. `style` is an object (set one property at a time, as the
 * content security policy wants it), `data` too; `on…` are listeners; other keys are attributes, and true or false
 * set or leave out one without a value.
 */
export function h(tag, properties = {}, ...children) {
  const [name, ...classes] = tag.split(".");
  const element = document.createElement(name || "div");
  if (classes.length) element.className = classes.join(" ");
  return fill(set(element, properties), children);
}

/** An element of an SVG picture. */
export function svg(tag, attributes = {}, ...children) {
  return fill(set(document.createElementNS(SVG, tag), attributes), children);
}

function set(element, properties) {
  for (const [key, value] of Object.entries(properties)) {
    if (value === null || value === undefined || value === false) continue;
    if (key.startsWith("on")) element.addEventListener(key.slice(2), value);
    else if (key === "style") for (const [name, of] of Object.entries(value)) element.style.setProperty(name, of);
    else if (key === "data") Object.assign(element.dataset, value);
    else if (key === "value" || key === "checked" || key === "selected") element[key] = value;
    else element.setAttribute(key, value === true ? "" : value);
  }
  return element;
}

function fill(element, children) {
  element.append(...children.flat(9).filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

/** Put other children into an element. */
export function put(element, ...children) {
  element.replaceChildren();
  return fill(element, children);
}

/** Call `then` once, when the element comes near the part of the page that is seen. */
export function whenSeen(element, then) {
  const observer = new IntersectionObserver(
    (entries) => {
      if (!entries.some((entry) => entry.isIntersecting)) return;
      observer.disconnect();
      then();
    },
    { rootMargin: "300px" },
  );
  observer.observe(element);
  return element;
}

/** `work`, called once after it was not asked for again during `ms`. */
export function later(work, ms) {
  let timer = 0;
  return (...given) => {
    clearTimeout(timer);
    timer = setTimeout(() => work(...given), ms);
  };
}

let numbers = 0;
/** An id that no other element has. */
export const freshId = (stem) => `${stem}-${++numbers}`;
