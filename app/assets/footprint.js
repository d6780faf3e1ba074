// Candles, or the footprint of each minute (sold × bought per price), with the volume profile beside them.

import { AXIS, FOOT, FlowPanel, clock, write } from './flow_panel.js';
import { signed } from './delta.js';
import * as format from './format.js';
import { make } from './panel.js';
import { alpha } from './theme.js';

const EVERY_MS = 200;
const MODES = { '5s': 5000, '15s': 15_000, '1m': 60_000, Footprint: 60_000 };
const PROFILE = 0.16;
const LEAST_SLOT = 96;
const TEXT_ROW = 11;

/** Seconds joined to candles; seconds without a trade leave the candle as it was, and make none. */
export function candles(seconds, width) {
  const found = [];
  for (const { t, open, high, low, close, buy, sell } of seconds) {
    if (!Number.isFinite(open)) continue;
    const end = Math.ceil(t / width) * width;
    let candle = found.at(-1);
    if (!candle || candle.t !== end) found.push(candle = { t: end, open, high, low, close, delta: 0, volume: 0 });
    candle.high = Math.max(candle.high, high);
    candle.low = Math.min(candle.low, low);
    candle.close = close;
    candle.delta += buy - sell;
    candle.volume += buy + sell;
  }
  return found;
}

export class FootprintPanel extends FlowPanel {
  constructor(hub, parent) {
    super(hub, parent, 'footprint');
    this.dueMs = 0;
    this.buttons = Object.keys(MODES).map((name) => {
      const button = make('button', 'td-button', { type: 'button' }, [name]);
      button.addEventListener('click', () => this.#choose(name));
      return button;
    });
    this.bar.append(...this.buttons);
    this.#choose('5s');
  }

  get flowParts() {
    return ['seconds', 'prints'];
  }

  due(nowMs) {
    if (nowMs < this.dueMs) return false;
    this.dueMs = nowMs + EVERY_MS;
    return true;
  }

  draw(context, width, height) {
    if (this.mode !== 'Footprint') this.showTitle('Candles and profile', this.symbol);
    const { flow } = this;
    const cooked = flow ? candles(flow.seconds, MODES[this.mode]) : [];
    if (!cooked.length) return this.nothing(context, width, height, 'waiting for the first trades …');
    const inner = width - AXIS;
    const chart = Math.round(inner * (1 - PROFILE));
    const slot = this.mode === 'Footprint' ? Math.max(LEAST_SLOT, Math.min(170, chart / Math.max(3, cooked.length))) : 9;
    const shown = cooked.slice(-Math.max(1, Math.floor(chart / slot)));
    const lower = height - FOOT - (this.mode === 'Footprint' ? 16 : 0);
    const view = { shown, slot, chart, inner, lower, height, width, ...this.#prices(shown, lower) };
    view.left = chart - shown.length * slot;
    this.#gaps(context, view, MODES[this.mode]);
    this.drawPrices(context, view.low, view.high, view.y, inner, lower);
    context.save();
    context.beginPath();
    context.rect(0, 0, inner, height);
    context.clip();
    this.#profile(context, view);
    // Behind the numbers of a footprint, for they would be struck through.
    this.#area(context, view);
    if (this.mode === 'Footprint') this.#prints(context, view);
    else this.#candles(context, view);
    context.restore();
    this.#times(context, view);
    this.#hover(context, view);
    this.root.dataset.candles = String(shown.length);
    return undefined;
  }

  summary() {
    const area = this.flow?.profile?.area;
    const price = (bin) => format.price(bin * this.flow.bin, this.decimals());
    return `Candles of ${this.symbol}${area ? `, point of control ${price(area[0])}, value area ${price(area[1])} to ${price(area[2] + 1)}` : ''}`;
  }

  #prices(shown, lower) {
    let [low, high] = [Math.min(...shown.map((one) => one.low)), Math.max(...shown.map((one) => one.high))];
    const bin = this.flow.bin ?? 0;
    const air = Math.max((high - low) * 0.08, bin * 2, this.flow.tick * 4);
    [low, high] = [low - air, high + air];
    return { low, high, y: (price) => ((high - price) / (high - low)) * lower };
  }

  /** Candles are counted, not timed: a gap is a shaded candle, or a bar between two where none fell into it. */
  #gaps(context, view, width) {
    const { shown, slot, left, lower } = view;
    const gaps = this.gapsIn(shown[0].t - width, shown.at(-1).t);
    context.fillStyle = alpha(this.theme.warn, 0.2);
    for (const [begin, end] of gaps) {
      const [first, last] = [shown.findIndex(({ t }) => t > begin), shown.findLastIndex(({ t }) => t - width < end)];
      if (first < 0) continue;
      if (last < first) context.fillRect(left + first * slot - 1.5, 0, 3, lower);
      else context.fillRect(left + first * slot, 0, (last - first + 1) * slot, lower);
    }
    this.root.dataset.gaps = String(gaps.length);
  }

  #candles(context, view) {
    const { theme } = this;
    view.shown.forEach((candle, i) => {
      const x = view.left + i * view.slot + view.slot / 2;
      const rising = candle.close >= candle.open;
      const color = rising ? theme.bid : theme.ask;
      context.fillStyle = color;
      context.fillRect(Math.round(x) - 0.5, view.y(candle.high), 1, Math.max(1, view.y(candle.low) - view.y(candle.high)));
      const [top, bottom] = [view.y(Math.max(candle.open, candle.close)), view.y(Math.min(candle.open, candle.close))];
      const wide = view.slot - 3;
      if (rising) {
        context.fillStyle = theme.panel;
        context.fillRect(x - wide / 2, top, wide, Math.max(1, bottom - top));
        context.strokeStyle = color;
        context.lineWidth = 1;
        context.strokeRect(x - wide / 2 + 0.5, top + 0.5, wide - 1, Math.max(1, bottom - top - 1));
      } else context.fillRect(x - wide / 2, top, wide, Math.max(1, bottom - top));
    });
  }

  /** Each bar's bins: sold at the left, bought at the right, imbalanced ones framed. */
  #prints(context, view) {
    const { flow, theme } = this;
    const bars = flow.bars.slice(-view.shown.length);
    const own = Math.max(1e-6, view.y(0) - view.y(flow.bin));
    const join = Math.max(1, Math.ceil(TEXT_ROW / own));
    const step = flow.bin * join;
    const row = Math.max(1, own * join);
    const shown = bars.map(({ cells }) => joinedCells(cells, join));
    const most = Math.max(...shown.flatMap((cells) => cells.map(([, buy, sell]) => Math.max(buy, sell))), 1e-12);
    this.showTitle('Footprint', `${this.symbol} · sold × bought per ${format.size(step, format.stepDecimals(flow.tick))}, 1 m`);
    const first = view.shown.length - bars.length;
    context.textBaseline = 'middle';
    bars.forEach((bar, i) => {
      const left = view.left + (first + i) * view.slot;
      const half = view.slot / 2 - 5;
      for (const [place, buy, sell, side] of shown[i]) {
        const y = view.y((place + 1) * step);
        const middle = left + view.slot / 2;
        context.fillStyle = theme.panel;
        context.fillRect(middle - 1 - half, y, 2 * half + 2, row - 1);
        context.fillStyle = alpha(theme.ask, 0.15 + 0.5 * (sell / most));
        context.fillRect(middle - 1 - half, y, half, row - 1);
        context.fillStyle = alpha(theme.bid, 0.15 + 0.5 * (buy / most));
        context.fillRect(middle + 1, y, half, row - 1);
        if (row >= TEXT_ROW) {
          write(context, short(sell), middle - 4, y + row / 2, 'right', theme.text, this.font(10, side < 0 ? 700 : 400));
          write(context, short(buy), middle + 4, y + row / 2, 'left', theme.text, this.font(10, side > 0 ? 700 : 400));
        }
        if (side) {
          context.strokeStyle = theme.warn;
          context.lineWidth = 1;
          context.strokeRect(side > 0 ? middle + 1.5 : middle - 0.5 - half, y + 0.5, half - 1, row - 2);
        }
      }
      const color = bar.delta >= 0 ? theme.bid : theme.ask;
      write(context, `Δ ${signed(bar.delta)}`, left + view.slot / 2, view.lower + 9, 'center', color, this.font(10, 700));
    });
  }

  #profile(context, view) {
    const { flow, theme } = this;
    const { profile } = flow;
    if (!profile?.area || !profile.bin) return;
    const [poc, val, vah] = profile.area;
    const most = Math.max(...profile.volumes.map(([, volume]) => volume));
    const room = view.inner - view.chart - 6;
    for (const [place, volume] of profile.volumes) {
      const y = view.y((place + 1) * profile.bin);
      const row = view.y(place * profile.bin) - y;
      if (y > view.lower || y + row < 0) continue;
      context.fillStyle = place === poc ? alpha(theme.warn, 0.6) : alpha(theme.text, place >= val && place <= vah ? 0.34 : 0.15);
      const long = (volume / most) * room;
      context.fillRect(view.inner - long, y, long, Math.max(1, row - 1));
    }
  }

  #area(context, view) {
    const { profile } = this.flow;
    if (!profile?.area || !profile.bin) return;
    const [poc, val, vah] = profile.area;
    context.textBaseline = 'middle';
    for (const [name, price, color] of [
      ['VAH', (vah + 1) * profile.bin, this.theme.muted], ['POC', (poc + 0.5) * profile.bin, this.theme.warn], ['VAL', val * profile.bin, this.theme.muted],
    ]) {
      const y = view.y(price);
      if (y < 0 || y > view.lower) continue;
      context.strokeStyle = color;
      context.lineWidth = 1;
      context.setLineDash([5, 4]);
      context.beginPath();
      context.moveTo(0, Math.round(y) + 0.5);
      context.lineTo(view.inner, Math.round(y) + 0.5);
      context.stroke();
      context.setLineDash([]);
      write(context, name, 4, y - 6, 'left', color, this.font(9, 700));
    }
  }

  #times(context, view) {
    const every = Math.max(1, Math.ceil(80 / view.slot));
    context.textBaseline = 'middle';
    view.shown.forEach(({ t }, i) => {
      if ((view.shown.length - 1 - i) % every) return;
      const x = view.left + i * view.slot + view.slot / 2;
      if (x > 24) write(context, clock(t), x, view.height - FOOT / 2 + 1, 'center', this.theme.muted, this.font(10));
    });
  }

  #hover(context, view) {
    const { pointer, flow } = this;
    if (!pointer || pointer.x > view.inner || pointer.y > view.lower) return this.showTip(null);
    const decimals = this.decimals();
    if (pointer.x > view.chart) {
      const place = Math.floor((view.high - (pointer.y / view.lower) * (view.high - view.low)) / flow.bin);
      const volume = flow.profile?.volumes.find(([bin]) => bin === place)?.[1];
      return this.showTip([
        ['price', `${format.price(place * flow.bin, decimals)} … ${format.price((place + 1) * flow.bin, decimals)}`],
        ['volume since the anchor', format.size(volume ?? 0)],
        ['POC', 'the price with most volume'],
        ['VAL … VAH', 'around it, 70 % of all volume'],
      ], pointer.x, pointer.y);
    }
    const candle = view.shown[Math.floor((pointer.x - view.left) / view.slot)];
    if (!candle) return this.showTip(null);
    return this.showTip([
      ['until', clock(candle.t)],
      ['open, high', `${format.price(candle.open, decimals)}, ${format.price(candle.high, decimals)}`],
      ['low, close', `${format.price(candle.low, decimals)}, ${format.price(candle.close, decimals)}`],
      ['volume', format.size(candle.volume)],
      ['delta = bought − sold', signed(candle.delta)],
    ], pointer.x, pointer.y);
  }

  #choose(name) {
    this.mode = name;
    for (const button of this.buttons) button.setAttribute('aria-pressed', String(button.textContent === name));
    this.dueMs = 0;
    this.touch();
  }
}

/** So many bins as one, so that their numbers can be read; imbalances belong to single bins and are left out then. */
export function joinedCells(cells, join) {
  if (join === 1) return cells;
  const found = new Map();
  for (const [place, buy, sell] of cells) {
    const key = Math.floor(place / join);
    const cell = found.get(key) ?? [key, 0, 0, 0];
    cell[1] += buy;
    cell[2] += sell;
    found.set(key, cell);
  }
  return [...found.values()];
}

function short(size) {
  return size === 0 ? '0' : size >= 100 ? size.toFixed(0) : size >= 10 ? size.toFixed(1) : size >= 0.1 ? size.toFixed(2) : size.toPrecision(1);
}
