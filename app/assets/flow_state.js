// What the panels know of one feed's order flow, kept up to date by frames. Pure: no DOM, no clock.

export const COLUMNS_KEPT = 600;
export const SECONDS_KEPT = 1800;
export const BUBBLES_KEPT = 2400;
export const EVENTS_KEPT = 400;
export const BARS_KEPT = 60;

/** One feed's order flow. `versions` counts changes per part, so that a panel knows whether it has something to draw. */
export class FlowState {
  constructor() {
    this.tick = NaN;
    this.figures = new Map();
    this.explained = new Map();
    this.names = [];
    this.clear();
    this.versions = { figures: 0, heat: 0, seconds: 0, levels: 0, events: 0, prints: 0, standing: 0 };
  }

  clear() {
    this.heat = { step: NaN, columns: [] };
    this.seconds = [];
    this.bubbles = [];
    this.events = [];
    this.bars = [];
    this.bin = null;
    this.profile = null;
    this.levels = new Map();
    this.standing = { failed: '', state: 'EMPTY', regime: 'unknown', since: null, margin: null, walls: [], signals: [] };
    this.walls = new Map();
  }

  /** Take the order flow of a frame; `whole` when it begins anew. */
  take(flow, whole) {
    if (whole) this.clear();
    if (flow.meta) this.#explain(flow.meta);
    if (flow.figures) this.#takeFigures(flow.figures);
    if (flow.heat) this.#takeHeat(flow.heat);
    if (flow.seconds) this.#takeSeconds(flow.seconds);
    if (flow.bubbles) this.#takeBubbles(flow.bubbles);
    if (flow.levels) this.#takeLevels(flow.levels);
    if (flow.events) this.#takeEvents(flow.events);
    if (flow.prints) this.#takeBars(flow.prints);
    if (flow.profile) this.profile = flow.profile;
    if (flow.standing) this.#takeStanding(flow.standing);
  }

  /** A figure: { value, quality, warm }, value NaN while it is not known. */
  figure(name) {
    return this.figures.get(name) ?? { value: NaN, quality: 'exact', warm: 0 };
  }

  #explain({ tick, figures }) {
    this.tick = tick;
    this.names = figures.map(([name]) => name);
    this.explained = new Map(figures.map(([name, label, unit, about]) => [name, { label, unit, about }]));
  }

  #takeFigures({ values, qualities, warm, atMs }) {
    this.atMs = atMs;
    this.names.forEach((name, i) => this.figures.set(name, { value: values[i], quality: qualities[i], warm: warm[i] }));
    this.versions.figures += 1;
  }

  #takeHeat({ step, columns }) {
    if (step !== this.heat.step) this.heat = { step, columns: [] };
    const kept = this.heat.columns;
    for (const column of columns) if (!kept.length || column.beginMs > kept.at(-1).beginMs) kept.push(column);
    trim(kept, COLUMNS_KEPT);
    this.versions.heat += 1;
  }

  #takeSeconds(values) {
    for (let i = 0; i < values.length; i += 10) {
      if (this.seconds.length && values[i] <= this.seconds.at(-1).t) continue;
      const [t, open, high, low, close, buy, sell, unsigned, cvd, mid] = values.subarray(i, i + 10);
      this.seconds.push({ t, open, high, low, close, buy, sell, unsigned, cvd, mid });
    }
    trim(this.seconds, SECONDS_KEPT);
    this.versions.seconds += 1;
  }

  #takeBubbles(values) {
    const last = this.bubbles.at(-1)?.t ?? -Infinity;
    for (let i = 0; i < values.length; i += 4) {
      if (values[i] > last) this.bubbles.push({ t: values[i], price: values[i + 1], size: values[i + 2], side: values[i + 3] });
    }
    trim(this.bubbles, BUBBLES_KEPT);
    this.versions.seconds += 1;
  }

  #takeLevels(values) {
    this.levels = new Map();
    for (let i = 0; i < values.length; i += 5) {
      const [price, bought, sold, added, pulled] = values.subarray(i, i + 5);
      this.levels.set(price, { bought, sold, added, pulled });
    }
    this.versions.levels += 1;
  }

  #takeEvents(rows) {
    const last = this.events.at(-1)?.number ?? 0;
    for (const [number, kind, t, side, size, price, quality, evidence] of rows) {
      if (number > last) this.events.push({ number, kind, t, side, size, price, quality, evidence });
    }
    trim(this.events, EVENTS_KEPT);
    this.versions.events += 1;
  }

  #takeBars({ bin, bars }) {
    if (bin !== this.bin) this.bars = [];
    this.bin = bin;
    const kept = this.bars.filter((bar) => bar.close !== null);
    for (const [close, delta, high, low, cells, stacked] of bars) {
      if (close === null || !kept.length || close > kept.at(-1).close) kept.push({ close, delta, high, low, cells, stacked });
    }
    trim(kept, BARS_KEPT);
    this.bars = kept;
    this.versions.prints += 1;
  }

  #takeStanding(standing) {
    this.standing = standing;
    this.walls = new Map(standing.walls);
    this.versions.standing += 1;
  }
}

function trim(list, most) {
  if (list.length > most) list.splice(0, list.length - most);
}
