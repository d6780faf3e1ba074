// Resting size over time and price, trades as bubbles, best bid and ask as lines.

import { sizeOf } from './flow_codec.js';
import { AXIS, FOOT, FlowPanel, clock, filledSpan, gapBetween, quantile } from './flow_panel.js';
import * as format from './format.js';
import { make } from './panel.js';
import { alpha } from './theme.js';

const EVERY_MS = 50;
const WINDOWS = { '1m': 60_000, '2m': 120_000, '5m': 300_000, '10m': 600_000 };
const LEAST_ROWS = 24;
const MOST_RADIUS = 12;
const BUBBLE_PX = 9;
// From nothing to most, on a dark and on a light ground: lightness alone tells them apart.
const DARK = [[14, 18, 28], [16, 45, 84], [64, 77, 107], [124, 123, 120], [186, 174, 107], [254, 232, 56], [255, 250, 205]];
const LIGHT = [[248, 249, 252], [222, 226, 214], [203, 192, 136], [150, 148, 122], [92, 99, 116], [32, 60, 110], [4, 24, 60]];

/** The colour of a share in 0 … 1 along a ramp, as a little-endian pixel. */
export function pixel(ramp, share) {
  const at = Math.min(0.999999, Math.max(0, share)) * (ramp.length - 1);
  const [i, part] = [Math.floor(at), at % 1];
  const [r, g, b] = ramp[i].map((value, c) => Math.round(value + (ramp[i + 1][c] - value) * part));
  return ((255 << 24) | (b << 16) | (g << 8) | r) >>> 0;
}

/** The codes between which colours run: two fifths of what is seen lie below the first, a two-hundredth above the second. */
export function colourRange(columns) {
  const counts = new Uint32Array(2048);
  let total = 0;
  for (const { codes } of columns) {
    for (let i = 0; i < codes.length; i++) if (codes[i] > 1) { counts[codes[i] >> 5] += 1; total += 1; }
  }
  let [seen, low, high] = [0, 0, 2047];
  for (let bin = 0; bin < 2048; bin++) {
    seen += counts[bin];
    if (seen < total * 0.4) low = bin + 1;
    if (seen >= total * 0.995) { high = bin; break; }
  }
  return total ? [low << 5, Math.max(high, low + 8) << 5] : [0, 65_535];
}

/** Trades joined by side and lengths of time, so that bubbles do not hide each other; `t` is the middle of the time. */
export function merged(bubbles, from, to, width) {
  const found = new Map();
  for (const { t, price, size, side } of bubbles) {
    if (t < from - width || t > to) continue;
    const place = Math.floor(t / width);
    const key = `${place} ${side}`;
    const one = found.get(key);
    if (!one) found.set(key, { t: (place + 0.5) * width, price, size, side });
    else {
      one.price = (one.price * one.size + price * size) / (one.size + size);
      one.size += size;
    }
  }
  return [...found.values()].sort((a, b) => b.size - a.size);
}

export class HeatmapPanel extends FlowPanel {
  constructor(hub, parent) {
    super(hub, parent, 'heatmap');
    this.span = '2m';
    this.rows = null;
    this.centre = null;
    this.back = 0;
    this.dueMs = 0;
    this.picture = document.createElement('canvas');
    this.live = this.#button('Follow ▸', () => this.#follow());
    this.live.hidden = true;
    this.buttons = Object.keys(WINDOWS).map((name) => this.#button(name, () => this.#choose(name)));
    this.bar.append(this.live, ...this.buttons);
    this.canvas.addEventListener('wheel', (event) => this.#wheel(event), { passive: false });
    this.canvas.addEventListener('dblclick', () => this.#follow());
    this.canvas.addEventListener('pointerdown', (event) => this.#grab(event));
    this.canvas.addEventListener('keydown', (event) => this.#key(event));
    this.#choose('2m');
  }

  get parts() {
    return ['top'];
  }

  get flowParts() {
    return ['heat', 'seconds', 'standing'];
  }

  changeFeed() {
    this.rows = this.centre = null;
    this.back = 0;
  }

  themed() {
    this.ramp = null;
  }

  due(nowMs) {
    if (nowMs < this.dueMs) return false;
    this.dueMs = nowMs + EVERY_MS;
    return true;
  }

  draw(context, width, height, nowMs) {
    this.showTitle('Liquidity heatmap', `${this.symbol} · resting size, bubbles are trades`);
    const { feed, flow } = this;
    if (!feed || !flow || !flow.heat.columns.length) return this.nothing(context, width, height, 'collecting the first seconds …');
    const view = this.#view(width, height, nowMs);
    this.view = view;
    this.#paintCells(context, view);
    this.drawGaps(context, view.from, view.to, view.x, 0, view.height);
    context.save();
    context.beginPath();
    context.rect(0, 0, view.width, view.height);
    context.clip();
    this.#drawTop(context, view);
    this.#drawBubbles(context, view);
    context.restore();
    this.drawPrices(context, view.low, view.high, view.y, view.width, view.height);
    this.drawTimes(context, view.from, view.to, view.x, view.height, view.width);
    this.#drawTags(context, view);
    this.#hover(context, view);
    this.root.dataset.columns = String(flow.heat.columns.length);
    this.root.dataset.bubbles = String(view.bubbles);
    return undefined;
  }

  summary() {
    const { flow, feed } = this;
    return `Liquidity heatmap of ${this.symbol}: ${flow?.heat.columns.length ?? 0} seconds, `
      + `bid ${format.price(feed.top.bid, feed.priceDecimals)}, ask ${format.price(feed.top.ask, feed.priceDecimals)}`;
  }

  #view(width, height, nowMs) {
    const { step, columns } = this.flow.heat;
    const [inner, lower] = [Math.max(40, width - AXIS), Math.max(40, height - FOOT)];
    const edge = Math.max(this.marketMs(nowMs), columns.at(-1).beginMs + 1000);
    const span = filledSpan(WINDOWS[this.span], edge - columns[0].beginMs);
    const to = edge - this.back;
    const from = to - span;
    const shown = columns.filter((column) => column.beginMs >= from - 1000 && column.beginMs < to);
    const rows = this.rows ?? this.#usualRows(from, to, step);
    const mid = Number.isFinite(this.feed.mid) ? this.feed.mid : this.lastMid;
    this.lastMid = mid;
    const middle = this.centre ?? this.#still(mid / step, rows);
    const lowest = Math.floor(middle - rows / 2);
    const [low, high] = [lowest * step, (lowest + rows) * step];
    return {
      from, to, span, shown, rows, lowest, step, low, high, width: inner, height: lower, middle,
      x: (t) => ((t - from) / span) * inner, y: (price) => ((high - price) / (high - low)) * lower,
    };
  }

  /** So many rows that the prices of the window fill about a third of the picture. */
  #usualRows(from, to, step) {
    let [low, high] = [Infinity, -Infinity];
    for (const { t, mid } of this.flow.seconds) {
      if (t < from || t > to || !Number.isFinite(mid)) continue;
      low = Math.min(low, mid);
      high = Math.max(high, mid);
    }
    const moved = high >= low ? (high - low) / step : 0;
    const wanted = Math.min(250, Math.max(36, moved * 2.4));
    // In steps, so that the scale does not breathe with every tick.
    if (!this.usual || wanted > this.usual * 0.95 || wanted < this.usual * 0.5) this.usual = Math.min(250, Math.ceil((wanted * 1.3) / 10) * 10);
    return this.usual;
  }

  /** The middle stays where it is until the market has left the inner half. */
  #still(at, rows) {
    if (!Number.isFinite(at)) return this.resting ?? 0;
    if (this.resting === undefined || Math.abs(at - this.resting) > rows * 0.22) this.resting = Math.round(at);
    return this.resting;
  }

  #paintCells(context, view) {
    const { shown, rows, lowest, from, span } = view;
    const count = Math.ceil(span / 1000) + 1;
    const stamp = [this.flow.versions.heat, Math.floor(from / 1000), rows, lowest, this.theme.dark, count].join();
    if (stamp !== this.painted2) {
      this.painted2 = stamp;
      this.#paintPicture(shown, rows, lowest, Math.floor(from / 1000) * 1000, count);
    }
    const offset = Math.floor(from / 1000) * 1000;
    context.imageSmoothingEnabled = false;
    context.save();
    context.beginPath();
    context.rect(0, 0, view.width, view.height);
    context.clip();
    context.fillStyle = this.theme.panel;
    context.fillRect(0, 0, view.width, view.height);
    context.drawImage(this.picture, view.x(offset), 0, (count * 1000 / span) * view.width, view.height);
    context.restore();
  }

  #paintPicture(shown, rows, lowest, begin, count) {
    const { picture } = this;
    if (picture.width !== count || picture.height !== rows) [picture.width, picture.height] = [count, rows];
    this.#makeRamp();
    const inner = picture.getContext('2d');
    const image = inner.createImageData(count, rows);
    const pixels = new Uint32Array(image.data.buffer);
    const [low, high] = colourRange(shown);
    for (const column of shown) {
      const x = Math.round((column.beginMs - begin) / 1000);
      if (x < 0 || x >= count) continue;
      const shift = lowest - column.lowest;
      for (let row = 0; row < rows; row++) {
        const code = column.codes[row + shift];
        if (!code) continue;
        const share = code === 1 ? 0 : (code - low) / (high - low);
        pixels[(rows - 1 - row) * count + x] = this.ramp[Math.min(255, Math.max(0, Math.round(share * 255)))];
      }
    }
    inner.putImageData(image, 0, 0);
  }

  #makeRamp() {
    if (this.ramp && this.rampDark === this.theme.dark) return;
    const stops = this.theme.dark ? DARK : LIGHT;
    this.rampDark = this.theme.dark;
    this.ramp = Uint32Array.from({ length: 256 }, (_, i) => pixel(stops, (i / 255) ** 1.5));
  }

  #drawTop(context, view) {
    const { feed, theme } = this;
    const points = feed.points.since(view.from - 2000, 1500);
    for (const [name, color] of [['ask', theme.ask], ['bid', theme.bid]]) {
      for (const [wide, style] of [[3.6, alpha(theme.background, 0.75)], [1.6, color]]) {
        context.strokeStyle = style;
        context.lineWidth = wide;
        context.beginPath();
        let last = NaN;
        points.t.forEach((t, i) => {
          const [x, y] = [view.x(t), view.y(points[name][i])];
          const lost = i ? gapBetween(feed.gaps, points.t[i - 1], t) : NaN;
          if (!Number.isNaN(last)) context.lineTo(Number.isNaN(lost) ? x : view.x(lost), last);
          context[Number.isNaN(last) || !Number.isNaN(lost) ? 'moveTo' : 'lineTo'](x, y);
          last = y;
        });
        const lost = gapBetween(feed.gaps, points.t.at(-1) ?? view.from, view.to);
        if (!Number.isNaN(last) && !this.back) context.lineTo(Number.isNaN(lost) ? view.width : view.x(lost), last);
        context.stroke();
      }
    }
  }

  #drawBubbles(context, view) {
    const { theme } = this;
    const seen = merged(this.flow.bubbles, view.from, view.to, Math.max(500, (BUBBLE_PX * view.span) / view.width));
    const most = quantile(seen.map(({ size }) => size), 0.98);
    view.bubbles = seen.length;
    view.seen = seen;
    for (const bubble of seen) {
      const radius = Math.max(1.2, MOST_RADIUS * Math.sqrt(Math.min(1.2, bubble.size / most)));
      const color = bubble.side > 0 ? theme.bid : bubble.side < 0 ? theme.ask : theme.muted;
      context.beginPath();
      context.arc(view.x(bubble.t), view.y(bubble.price), radius, 0, 2 * Math.PI);
      context.fillStyle = alpha(color, radius > 4 ? 0.5 : 0.75);
      context.fill();
      if (radius > 4) {
        context.lineWidth = 1.2;
        context.strokeStyle = theme.dark ? '#fff' : '#10131a';
        context.stroke();
      }
    }
  }

  #drawTags(context, view) {
    const { feed, theme } = this;
    const decimals = this.decimals();
    const place = (price) => Math.min(view.height - 8, Math.max(8, view.y(price)));
    if (!Number.isFinite(feed.mid)) return;
    let [ask, bid] = [place(feed.top.ask), place(feed.top.bid)];
    if (bid - ask < 17) [ask, bid] = [(ask + bid) / 2 - 8.5, (ask + bid) / 2 + 8.5];
    this.tag(context, format.price(feed.top.ask, decimals), view.width, ask, theme.ask);
    this.tag(context, format.price(feed.top.bid, decimals), view.width, bid, theme.bid);
  }

  #hover(context, view) {
    const { pointer, theme } = this;
    if (!pointer || pointer.x > view.width || pointer.y > view.height) return this.showTip(null);
    const t = view.from + (pointer.x / view.width) * view.span;
    const price = view.high - (pointer.y / view.height) * (view.high - view.low);
    context.fillStyle = alpha(theme.text, 0.45);
    context.fillRect(0, Math.round(pointer.y), view.width, 1);
    context.fillRect(Math.round(pointer.x), 0, 1, view.height);
    const column = view.shown.find(({ beginMs }) => t >= beginMs && t < beginMs + 1000);
    const row = Math.floor(price / view.step);
    const code = column?.codes[row - column.lowest];
    const size = code === undefined ? NaN : sizeOf(code);
    const bubble = this.#nearest(view, pointer);
    const lines = [
      ['time', clock(t)],
      ['price', `${format.price(row * view.step, this.decimals())} … ${format.price((row + 1) * view.step, this.decimals())}`],
      ['resting (mean of the second)', format.size(size)],
    ];
    if (bubble) lines.push([bubble.side > 0 ? 'bought' : bubble.side < 0 ? 'sold' : 'traded', `${format.size(bubble.size)} at ${format.price(bubble.price, this.decimals())}`]);
    return this.showTip(lines, pointer.x, pointer.y);
  }

  #nearest(view, { x, y }) {
    const near = view.seen.filter((one) => Math.hypot(view.x(one.t) - x, view.y(one.price) - y) < 10);
    return near.sort((a, b) => b.size - a.size)[0];
  }

  #wheel(event) {
    if (!this.view) return;
    event.preventDefault();
    const factor = event.deltaY > 0 ? 1.15 : 1 / 1.15;
    this.rows = Math.round(Math.min(250, Math.max(LEAST_ROWS, this.view.rows * factor)));
    this.#left();
  }

  #grab(event) {
    if (!this.view) return;
    const start = { x: event.clientX, y: event.clientY, middle: this.view.middle, back: this.back };
    const { view } = this;
    this.canvas.setPointerCapture(event.pointerId);
    const move = ({ clientX, clientY }) => {
      if (Math.hypot(clientX - start.x, clientY - start.y) < 4 && this.centre === null && !this.back) return;
      this.centre = start.middle + ((clientY - start.y) / view.height) * view.rows;
      this.back = Math.max(0, Math.min(600_000, start.back + ((clientX - start.x) / view.width) * view.span));
      this.#left();
    };
    const end = () => {
      this.canvas.removeEventListener('pointermove', move);
      this.canvas.removeEventListener('pointerup', end);
    };
    this.canvas.addEventListener('pointermove', move);
    this.canvas.addEventListener('pointerup', end);
  }

  #key(event) {
    const rows = this.view?.rows ?? 80;
    if (event.key === '+') this.rows = Math.max(LEAST_ROWS, Math.round(rows / 1.15));
    else if (event.key === '-') this.rows = Math.min(250, Math.round(rows * 1.15));
    else if (event.key === 'Home') return this.#follow();
    else return undefined;
    event.preventDefault();
    return this.#left();
  }

  #left() {
    this.live.hidden = false;
    this.dueMs = 0;
    this.touch();
  }

  #follow() {
    this.rows = this.centre = null;
    this.back = 0;
    this.live.hidden = true;
    this.touch();
  }

  #choose(name) {
    this.span = name;
    for (const button of this.buttons) button.setAttribute('aria-pressed', String(button.textContent === name));
    this.touch();
  }

  #button(words, action) {
    const button = make('button', 'td-button', { type: 'button' }, [words]);
    button.addEventListener('click', action);
    return button;
  }
}
