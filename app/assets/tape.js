// Time and sales: every print, newest first.

import * as format from './format.js';
import { CanvasPanel, make } from './panel.js';
import { alpha } from './theme.js';

const HEAD = 20;
const ROW = 18;
const LARGE_SHARE = 0.95;
const LARGE_FROM = 20;

/** The size that 95 % of these trades stay below; Infinity while there are too few to tell. */
export function largeFrom(trades) {
  if (trades.length < LARGE_FROM) return Infinity;
  const sizes = Float64Array.from(trades, (trade) => trade.size).sort();
  return sizes[Math.min(sizes.length - 1, Math.floor(LARGE_SHARE * sizes.length))];
}

/** Those of at least `least`, newest first; with `upTo`, only those up to that number. */
export function visible(trades, least, upTo = Infinity) {
  const shown = [];
  for (let i = trades.length - 1; i >= 0; i--) {
    if (trades[i].number <= upTo && trades[i].size >= least) shown.push(trades[i]);
  }
  return shown;
}

export class TapePanel extends CanvasPanel {
  constructor(hub, parent) {
    super(hub, parent, 'tape');
    this.scroll = 0;
    this.pausedAt = null;
    this.least = 0;
    this.input = make('input', 'td-input', {
      type: 'number', min: '0', step: 'any', placeholder: 'min size', 'aria-label': 'Smallest size to show',
    });
    this.input.addEventListener('input', () => { this.least = Number(this.input.value) || 0; this.touch(); });
    this.bar.append(this.input);
    this.pill = make('button', 'td-pill', { type: 'button' });
    this.pill.hidden = true;
    this.pill.addEventListener('click', () => this.#resume());
    this.body.append(this.pill);
    this.canvas.addEventListener('wheel', (event) => this.#wheel(event), { passive: false });
    this.canvas.addEventListener('dblclick', () => this.#resume());
    this.canvas.addEventListener('keydown', (event) => this.#key(event));
  }

  get parts() {
    return ['trades'];
  }

  changeFeed() {
    this.#resume();
  }

  draw(context, width, height) {
    const { feed } = this;
    this.showTitle('Time & sales', this.keys[0]?.[1] ?? '');
    if (!feed) return;
    const shown = visible(feed.trades, this.least, this.pausedAt ?? Infinity);
    this.limit = Math.max(0, shown.length * ROW - (height - HEAD));
    this.scroll = Math.min(this.scroll, this.limit);
    this.decimals = Math.min(feed.sizeDecimals, 6);
    const large = largeFrom(feed.trades);
    const largest = Math.min(large, Infinity) === Infinity ? Math.max(...feed.trades.map((t) => t.size), 0) : large * 1.5;
    const columns = columnsOf(width);
    this.#head(context, width, columns);
    context.save();
    context.beginPath();
    context.rect(0, HEAD, width, height - HEAD);
    context.clip();
    const first = Math.floor(this.scroll / ROW);
    for (let i = first; i < shown.length; i++) {
      const y = HEAD + i * ROW - this.scroll;
      if (y > height) break;
      this.#row(context, shown[i], y, width, columns, largest, shown[i].size >= large);
    }
    context.restore();
    if (!shown.length) this.#nothing(context, width, height);
    this.#showPill();
  }

  summary() {
    const trade = this.feed.trades.at(-1);
    if (!trade) return `Trades of ${this.keys[0][1]}: none yet`;
    const side = trade.side > 0 ? 'buy' : trade.side < 0 ? 'sell' : 'trade';
    return `Trades of ${this.keys[0][1]}: last ${side} ${format.size(trade.size)} at `
      + `${format.price(trade.price, this.feed.priceDecimals)}, ${this.feed.trades.length} shown`;
  }

  #row(context, trade, y, width, columns, largest, isLarge) {
    const { theme, feed } = this;
    const color = trade.side > 0 ? theme.bid : trade.side < 0 ? theme.ask : theme.muted;
    if (isLarge) {
      context.fillStyle = alpha(color, 0.2);
      context.fillRect(0, y, width, ROW);
      context.fillStyle = color;
      context.fillRect(0, y, 3, ROW);
    }
    const bar = Math.max(1, Math.min(1, trade.size / largest) * columns.bar);
    context.fillStyle = alpha(color, isLarge ? 0.55 : 0.32);
    context.fillRect(columns.beside ? columns.size + 12 : width - bar, y + 3, bar, ROW - 6);
    const middle = y + ROW / 2 + 0.5;
    const weight = isLarge ? 700 : 400;
    context.textBaseline = 'middle';
    context.globalAlpha = trade.backfill ? 0.6 : 1;
    write(context, format.time(trade.time), columns.time, middle, 'left', theme.muted, this.font(11));
    const glyph = trade.side > 0 ? '▲' : trade.side < 0 ? '▼' : '•';
    write(context, glyph, columns.glyph, middle, 'center', color, this.font(9));
    write(context, format.price(trade.price, feed.priceDecimals), columns.price, middle, 'right', color, this.font(12, weight || 500));
    write(context, format.size(trade.size, this.decimals), columns.size, middle, 'right', theme.text, this.font(12, weight));
    context.globalAlpha = 1;
  }

  #head(context, width, columns) {
    const { theme } = this;
    const font = `500 10px ${theme.sans}`;
    context.textBaseline = 'middle';
    context.fillStyle = theme.grid;
    context.fillRect(0, HEAD - 1, width, 1);
    write(context, 'TIME', columns.time, HEAD / 2, 'left', theme.faint, font);
    write(context, 'PRICE', columns.price, HEAD / 2, 'right', theme.faint, font);
    write(context, 'SIZE', columns.size, HEAD / 2, 'right', theme.faint, font);
  }

  #nothing(context, width, height) {
    const word = this.feed.trades.length ? 'no trade of that size' : 'no trades yet';
    write(context, word, width / 2, height / 2, 'center', this.theme.faint, `12px ${this.theme.sans}`);
  }

  #showPill() {
    const paused = this.pausedAt !== null;
    const fresh = paused ? this.feed.trades.filter((t) => t.number > this.pausedAt && t.size >= this.least).length : 0;
    const text = fresh ? `↑ ${fresh} new` : 'paused';
    if (this.pill.hidden === paused) this.pill.hidden = !paused;
    if (paused && this.pill.textContent !== text) this.pill.textContent = text;
  }

  #resume() {
    this.scroll = 0;
    this.pausedAt = null;
    this.touch();
  }

  #scrollTo(scroll) {
    const target = Math.max(0, Math.min(this.limit ?? 0, scroll));
    if (target === this.scroll) return false;
    if (target > 0 && this.pausedAt === null) this.pausedAt = this.feed?.lastTradeNumber ?? null;
    this.scroll = target;
    if (target === 0) this.pausedAt = null;
    this.touch();
    return true;
  }

  #wheel(event) {
    if (this.#scrollTo(this.scroll + event.deltaY * (event.deltaMode === 1 ? ROW : 1))) event.preventDefault();
  }

  #key(event) {
    const step = { ArrowDown: ROW, ArrowUp: -ROW, PageDown: 10 * ROW, PageUp: -10 * ROW }[event.key];
    if (event.key === 'Home') this.#resume();
    else if (step) this.#scrollTo(this.scroll + step);
    else return;
    event.preventDefault();
  }
}

function columnsOf(width) {
  if (width < 430) {
    const price = Math.min(width - 78, 200);
    return { time: 10, glyph: 106, price, size: width - 8, bar: width - price - 12, beside: false };
  }
  return { time: 10, glyph: 108, price: 214, size: 302, bar: width - 324, beside: true };
}

function write(context, text, x, y, align, color, font) {
  context.font = font;
  context.textAlign = align;
  context.fillStyle = color;
  context.fillText(text, x, y);
}
