/**
 * A force layout: points push each other away, edges pull them together, all are drawn gently to the middle
 * (Fruchterman and Reingold, "Graph Drawing by Force-directed Placement", 1991). It begins on a spiral, so that the
 * same graph gives the same picture; points that were there keep their place.
 */
export class Layout {
  constructor() {
    this.x = [];
    this.y = [];
    this.heat = 0;
  }

  /** So many points, and edges as pairs of their numbers; `old[i]` is the number a point had before, or -1. */
  set(n, edges, old = []) {
    const [x, y] = [this.x, this.y];
    const spot = (i) => [Math.sqrt(i + 0.5) * Math.cos(2.4 * i), Math.sqrt(i + 0.5) * Math.sin(2.4 * i)];
    this.x = Array.from({ length: n }, (_, i) => (old[i] >= 0 ? x[old[i]] : spot(i)[0]));
    this.y = Array.from({ length: n }, (_, i) => (old[i] >= 0 ? y[old[i]] : spot(i)[1]));
    this.edges = edges;
    this.heat = old.some((place) => place >= 0) ? 0.4 : 1;
  }

  get done() {
    return this.heat < 0.01;
  }

  /** One step; O(n²), for some hundred points. */
  step() {
    const { x, y, edges } = this;
    const n = x.length;
    const [fx, fy] = [new Float64Array(n), new Float64Array(n)];
    for (let i = 0; i < n; i++) {
      fx[i] -= 0.2 * x[i];
      fy[i] -= 0.2 * y[i];
      for (let j = i + 1; j < n; j++) {
        const [dx, dy] = [x[i] - x[j], y[i] - y[j]];
        const push = 2 / (dx * dx + dy * dy + 0.01);
        fx[i] += dx * push;
        fy[i] += dy * push;
        fx[j] -= dx * push;
        fy[j] -= dy * push;
      }
    }
    const degree = new Float64Array(n);
    for (const [a, b] of edges) (degree[a]++, degree[b]++);
    for (const [a, b] of edges) {
      const [dx, dy] = [x[b] - x[a], y[b] - y[a]];
      const pull = (0.6 * Math.hypot(dx, dy)) / Math.min(degree[a], degree[b]);
      fx[a] += dx * pull * 0.5;
      fy[a] += dy * pull * 0.5;
      fx[b] -= dx * pull * 0.5;
      fy[b] -= dy * pull * 0.5;
    }
    for (let i = 0; i < n; i++) {
      const force = Math.hypot(fx[i], fy[i]) || 1;
      const step = Math.min(force * 0.12, this.heat);
      x[i] += (fx[i] / force) * step;
      y[i] += (fy[i] / force) * step;
    }
    this.heat *= 0.985;
  }
}
