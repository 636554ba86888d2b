/** A canvas that one can move over, zoom and step through by keys. What is drawn is the owner's. */

import { freshId, h, put } from "../lib/dom.js";

const ZOOM = 1.25;
const NEAR = 14; // pixels from a point that still hit it
const DIRECTIONS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

/**
 * @param {object} owner
 * @param {string} owner.label what the picture shows
 * @param {(paint: CanvasRenderingContext2D, plane: Plane) => void} owner.draw
 * @param {() => {x: ArrayLike<number>, y: ArrayLike<number>, hidden?: (i: number) => boolean}} owner.points
 * @param {(i: number) => string} owner.name a point in words
 * @param {(i: number) => void} owner.select a point was chosen; -1 for none
 * @param {(i: number) => void} owner.open Enter or a second click on it
 */
export class Plane {
  constructor(owner) {
    this.owner = owner;
    this.selected = -1;
    this.hovered = -1;
    this.center = [0, 0];
    this.scale = 100;
    this.pointers = new Map();
    const help = freshId("plane");
    this.canvas = h("canvas", {
      tabindex: "0", role: "application", "aria-label": owner.label, "aria-describedby": help,
      onpointerdown: (e) => this.#down(e), onpointermove: (e) => this.#move(e), onpointerup: (e) => this.#up(e),
      onpointercancel: (e) => this.pointers.delete(e.pointerId), onpointerleave: () => this.#hover(-1), onkeydown: (e) => this.#key(e),
    });
    this.canvas.addEventListener("wheel", (e) => this.#wheel(e), { passive: false });
    this.tip = h("div.tip", { hidden: true });
    this.said = h("span.aside", { "aria-live": "polite" });
    const button = (text, label, onclick) => h("button", { "aria-label": label, title: label, onclick }, text);
    this.element = h(
      "div.plane",
      {},
      this.canvas,
      this.tip,
      this.said,
      h("span.aside", { id: help }, "Arrows go to the next point, Enter opens it, plus and minus zoom, Home shows all."),
      h("div.zoom", {}, button("+", "Closer", () => this.zoom(ZOOM)), button("−", "Farther", () => this.zoom(1 / ZOOM)), button("All", "Show all", () => this.fit())),
    );
    this.observer = new ResizeObserver(() => this.#resize());
    this.observer.observe(this.canvas);
    this.colours = new Map();
    this.onTheme = () => (this.colours.clear(), this.redraw());
    addEventListener("theme", this.onTheme);
    this.dark = matchMedia("(prefers-color-scheme: dark)");
    this.dark.addEventListener("change", this.onTheme);
  }

  close() {
    this.observer.disconnect();
    removeEventListener("theme", this.onTheme);
    this.dark.removeEventListener("change", this.onTheme);
  }

  /** The colour behind a custom property, as it is in the present theme. */
  colour(name) {
    if (!this.colours.has(name)) {
      this.probe ??= this.element.appendChild(h("i", { hidden: true }));
      this.probe.style.color = `var(${name})`;
      this.colours.set(name, getComputedStyle(this.probe).color);
    }
    return this.colours.get(name);
  }

  get size() {
    return [this.canvas.clientWidth, this.canvas.clientHeight];
  }

  /** From the plane to pixels. */
  at(x, y) {
    const [width, height] = this.size;
    return [(x - this.center[0]) * this.scale + width / 2, (y - this.center[1]) * this.scale + height / 2];
  }

  /** From pixels to the plane. */
  from(px, py) {
    const [width, height] = this.size;
    return [(px - width / 2) / this.scale + this.center[0], (py - height / 2) / this.scale + this.center[1]];
  }

  /** Show all points. */
  fit() {
    this.fitted = true;
    const { x, y, hidden } = this.owner.points();
    const box = [Infinity, Infinity, -Infinity, -Infinity];
    for (let i = 0; i < x.length; i++) {
      if (hidden?.(i)) continue;
      box[0] = Math.min(box[0], x[i]);
      box[1] = Math.min(box[1], y[i]);
      box[2] = Math.max(box[2], x[i]);
      box[3] = Math.max(box[3], y[i]);
    }
    if (box[0] === Infinity) return this.redraw();
    const [width, height] = this.size;
    this.center = [(box[0] + box[2]) / 2, (box[1] + box[3]) / 2];
    this.scale = Math.min((width - 90) / Math.max(box[2] - box[0], 1e-6), (height - 90) / Math.max(box[3] - box[1], 1e-6), 400);
    this.redraw();
  }

  zoom(factor, [px, py] = this.size.map((length) => length / 2)) {
    this.fitted = false;
    const [x, y] = this.from(px, py);
    this.scale = Math.min(Math.max(this.scale * factor, 1e-3), 1e6);
    const [nowX, nowY] = this.from(px, py);
    this.center = [this.center[0] + x - nowX, this.center[1] + y - nowY];
    this.redraw();
  }

  /** Choose a point, and move it into view. */
  select(i, { quiet = false } = {}) {
    this.selected = i;
    if (i >= 0) {
      const { x, y } = this.owner.points();
      const [px, py] = this.at(x[i], y[i]);
      const [width, height] = this.size;
      if (px < 30 || py < 30 || px > width - 30 || py > height - 30) this.center = [x[i], y[i]];
      put(this.said, this.owner.name(i));
    }
    if (!quiet) this.owner.select(i);
    this.redraw();
  }

  redraw() {
    this.frame ??= requestAnimationFrame(() => {
      this.frame = undefined;
      if (!this.canvas.width || !this.element.isConnected) return; // it is drawn once it has a size
      const paint = this.canvas.getContext("2d");
      const ratio = devicePixelRatio || 1;
      paint.setTransform(ratio, 0, 0, ratio, 0, 0);
      paint.clearRect(0, 0, ...this.size);
      this.owner.draw(paint, this);
    });
  }

  #resize() {
    const ratio = devicePixelRatio || 1;
    const [width, height] = this.size;
    this.canvas.width = width * ratio;
    this.canvas.height = height * ratio;
    if (this.fitted) this.fit();
    else this.redraw();
  }

  /** The point nearest to a pixel, -1 where none is near. */
  #near(px, py) {
    const { x, y, hidden } = this.owner.points();
    const [wx, wy] = this.from(px, py);
    let [best, least] = [-1, (NEAR / this.scale) ** 2];
    for (let i = 0; i < x.length; i++) {
      const distance = (x[i] - wx) ** 2 + (y[i] - wy) ** 2;
      if (distance < least && !hidden?.(i)) [best, least] = [i, distance];
    }
    return best;
  }

  /** The next point in a direction: near, and not far off to the side. */
  #next([dx, dy]) {
    const { x, y, hidden } = this.owner.points();
    const [ox, oy] = this.selected >= 0 ? [x[this.selected], y[this.selected]] : this.center;
    let [best, least] = [-1, Infinity];
    for (let i = 0; i < x.length; i++) {
      if (i === this.selected || hidden?.(i)) continue;
      const along = (x[i] - ox) * dx + (y[i] - oy) * dy;
      const aside = Math.abs((x[i] - ox) * dy) + Math.abs((y[i] - oy) * dx);
      if (along <= 0 && this.selected >= 0) continue;
      const cost = Math.abs(along) + 2.5 * aside;
      if (cost < least) [best, least] = [i, cost];
    }
    return best;
  }

  #hover(i, px = 0, py = 0) {
    const changed = this.hovered !== i;
    this.hovered = i;
    this.tip.hidden = i < 0;
    this.canvas.style.cursor = i < 0 ? "grab" : "pointer";
    if (i >= 0) {
      put(this.tip, this.owner.name(i));
      this.tip.style.left = `${Math.min(px + 14, this.size[0] - 180)}px`;
      this.tip.style.top = `${py + 14}px`;
    }
    if (changed) this.redraw();
  }

  #down(event) {
    this.canvas.setPointerCapture(event.pointerId);
    this.pointers.set(event.pointerId, [event.offsetX, event.offsetY]);
    this.moved = this.pointers.size > 1;
    this.spread = this.#spread();
  }

  #move(event) {
    const before = this.pointers.get(event.pointerId);
    const now = [event.offsetX, event.offsetY];
    if (!before) return this.#hover(this.#near(...now), ...now);
    this.pointers.set(event.pointerId, now);
    if (this.pointers.size === 2) {
      const spread = this.#spread();
      const [a, b] = [...this.pointers.values()];
      if (this.spread) this.zoom(spread / this.spread, [(a[0] + b[0]) / 2, (a[1] + b[1]) / 2]);
      this.spread = spread;
    } else {
      const by = [now[0] - before[0], now[1] - before[1]];
      if (Math.hypot(...by) > 2) this.moved = true;
      this.fitted = false;
      this.center = [this.center[0] - by[0] / this.scale, this.center[1] - by[1] / this.scale];
      this.redraw();
    }
  }

  #spread() {
    const [a, b] = [...this.pointers.values()];
    return b ? Math.hypot(a[0] - b[0], a[1] - b[1]) : 0;
  }

  #up(event) {
    this.pointers.delete(event.pointerId);
    if (this.moved) return;
    const i = this.#near(event.offsetX, event.offsetY);
    if (i >= 0 && i === this.selected) this.owner.open(i);
    else this.select(i);
  }

  #wheel(event) {
    event.preventDefault();
    this.zoom(Math.exp(-event.deltaY * (event.deltaMode ? 0.05 : 0.0015)), [event.offsetX, event.offsetY]);
  }

  #key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const direction = DIRECTIONS[event.key];
    if (direction) {
      const i = this.#next(direction);
      if (i >= 0) this.select(i);
    } else if (event.key === "Enter" && this.selected >= 0) this.owner.open(this.selected);
    else if (event.key === "+" || event.key === "=") this.zoom(ZOOM);
    else if (event.key === "-") this.zoom(1 / ZOOM);
    else if (event.key === "Home" || event.key === "0") this.fit();
    else if (event.key === "Escape") this.select(-1);
    else return;
    event.preventDefault();
  }
}

/** Texts right of points, or left of them where the picture ends; one that would cover an earlier one is left out. */
export function labels(paint, places, { ink, ground, width, gap = 10 }) {
  const taken = [];
  paint.font = "12px system-ui, sans-serif";
  paint.textBaseline = "middle";
  paint.lineWidth = 3;
  paint.lineJoin = "round";
  for (const [at, y, text, must] of places) {
    const short = text.length > 34 ? `${text.slice(0, 33)}…` : text;
    const length = paint.measureText(short).width;
    const x = at + length > width ? at - length - 2 * gap : at;
    const box = [x - 2, y - 8, x + length + 4, y + 8];
    if (!must && taken.some((other) => box[0] < other[2] && box[2] > other[0] && box[1] < other[3] && box[3] > other[1])) continue;
    taken.push(box);
    paint.strokeStyle = ground;
    paint.strokeText(short, x, y);
    paint.fillStyle = ink;
    paint.fillText(short, x, y);
  }
}
