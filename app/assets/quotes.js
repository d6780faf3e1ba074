// Quotes: one line per symbol with bid, ask, mid, spread, direction and age.

import * as format from './format.js';
import { make, overlayOf, Panel } from './panel.js';

const DENSE_EVERY_MS = 90;
const BEAT_MS = 500;
const DENSE_FROM = 6;

const CSS = `
.td-quotes { display: grid; gap: 1px; background: var(--td-panel); grid-template-columns: repeat(auto-fit, minmax(min(100%, 245px), 1fr)); }
.td-quote { background: var(--td-panel); padding: 8px 12px; display: grid; grid-template-columns: minmax(0, 1fr) auto; gap: 2px 10px; min-width: 0; box-shadow: 0 0 0 1px var(--td-border); }
.td-quote .sym { font-weight: 600; } .td-quote .sym small { color: var(--td-muted); font-weight: 400; margin-left: 6px; }
.td-quote .age { color: var(--td-muted); text-align: right; font-size: 11px; }
.td-quote .mid { font: 600 20px/1.25 var(--td-mono); white-space: nowrap; } .td-quote .dir { display: inline-block; width: 1.1em; font-size: 13px; vertical-align: 2px; }
.td-quote .up { color: var(--td-bid); } .td-quote .down { color: var(--td-ask); }
.td-quote .spr { text-align: right; font: 12px/1.4 var(--td-mono); color: var(--td-muted); align-self: center; white-space: nowrap; }
.td-quote .ba { grid-column: 1 / -1; display: flex; justify-content: space-between; gap: 10px; font: 12px/1.4 var(--td-mono); white-space: nowrap; overflow: hidden; }
.td-quote .ba i { font-style: normal; color: var(--td-muted); font-family: var(--td-sans); font-size: 11px; }
.td-quote .low { grid-column: 1 / -1; color: var(--td-faint); font-size: 11px; white-space: nowrap; overflow: hidden; text-overflow: ellipsis; }
.td-quote .state { color: var(--td-warn); font-weight: 600; letter-spacing: .06em; font-size: 10px; }
.td-quotes.dense { grid-template-columns: repeat(auto-fill, minmax(min(100%, 182px), 1fr)); }
.td-quotes.dense .td-quote { padding: 4px 8px; gap: 0 6px; } .td-quotes.dense .mid { font-size: 15px; }
.td-quotes.dense .low, .td-quotes.dense .ba i, .td-quotes.dense .sym small { display: none; } .td-quotes.dense .spr { font-size: 11px; }
.td-quote.off .mid, .td-quote.off .ba, .td-quote.off .spr { opacity: .45; }
`;

export class QuotesPanel extends Panel {
  constructor(hub, parent) {
    super(hub, parent, 'quotes');
    parent.append(make('style', '', {}, [CSS]));
    this.bar.hidden = true;
    this.bar.style.display = 'none';
    this.over.remove();
    this.grid = make('div', 'td-quotes');
    this.body.append(this.grid);
    this.cells = new Map();
    this.dueMs = 0;
  }

  update(data) {
    this.data = data;
    const keys = data.feeds ?? [];
    // Every run of the script brings a new ticket: the cells stay unless the feeds are others.
    if (JSON.stringify(keys) === JSON.stringify(this.keys)) return;
    this.keys = keys;
    this.dueMs = 0;
    this.cells.clear();
    this.grid.classList.toggle('dense', this.keys.length > DENSE_FROM);
    this.grid.replaceChildren(...this.keys.map((key) => this.#cell(key)));
    this.touch();
  }

  get feeds() {
    return this.keys.map((key) => this.hub.feed(key));
  }

  /** Changes with every frame of any symbol; and by itself twice a second, for the ages when no frame comes. */
  stamp() {
    return this.feeds.reduce((sum, feed) => sum + feed.frames, this.touched + Math.floor(performance.now() / BEAT_MS));
  }

  due(nowMs) {
    if (nowMs < this.dueMs) return false;
    this.dueMs = nowMs + (this.keys.length > DENSE_FROM ? DENSE_EVERY_MS : 0);
    return true;
  }

  /** Every symbol's line; only text that differs is touched. */
  paint(nowMs) {
    for (const key of this.keys) this.#show(key, this.hub.feed(key), nowMs);
    this.feed = this.keys.length ? this.hub.feed(this.keys[0]) : null;
  }

  #cell(key) {
    const names = ['sym', 'age', 'mid', 'spr', 'ba', 'low'];
    const parts = Object.fromEntries(names.map((name) => [name, make('div', name)]));
    parts.dir = make('span', 'dir');
    parts.value = make('span');
    parts.mid.append(parts.dir, parts.value);
    parts.sym.append(make('span', '', {}, [key[1]]), make('small', '', {}, [key[0]]));
    for (const side of ['bid', 'ask']) {
      parts[side] = make('span', side === 'bid' ? 'up' : 'down');
      parts[`${side}Size`] = make('i');
      parts.ba.append(make('span', '', {}, [parts[side], ' ', parts[`${side}Size`]]));
    }
    parts.root = make('div', 'td-quote', { 'data-symbol': key[1], role: 'group', 'aria-label': `Quote of ${key[1]}` },
      names.map((name) => parts[name]));
    this.cells.set(JSON.stringify(key), parts);
    return parts.root;
  }

  #show(key, feed, nowMs) {
    const parts = this.cells.get(JSON.stringify(key));
    const { top, priceDecimals: decimals, sizeDecimals } = feed;
    const over = overlayOf(feed, this.hub.cut, nowMs);
    parts.root.classList.toggle('off', over !== null && over.dim);
    const known = Number.isFinite(feed.mid);
    const direction = known ? feed.direction : 0;
    put(parts.dir, direction > 0 ? '▲' : direction < 0 ? '▼' : '');
    const className = direction > 0 ? 'dir up' : direction < 0 ? 'dir down' : 'dir';
    if (parts.dir.className !== className) parts.dir.className = className;
    put(parts.value, format.mid(feed.mid, decimals));
    const spread = this.keys.length > DENSE_FROM ? '' : `${format.price(top.ask - top.bid, decimals)} · `;
    put(parts.spr, known ? `${spread}${format.bps(feed.spreadBps)}` : format.UNKNOWN);
    put(parts.bid, format.price(top.bid, decimals));
    put(parts.ask, format.price(top.ask, decimals));
    put(parts.bidSize, `× ${format.size(top.bidSize, Math.min(4, sizeDecimals))} bid`);
    put(parts.askSize, `× ${format.size(top.askSize, Math.min(4, sizeDecimals))} ask`);
    put(parts.age, over ? over.word : format.age(feed.ageS(nowMs)));
    const ageClass = over ? 'age state' : 'age';
    if (parts.age.className !== ageClass) parts.age.className = ageClass;
    put(parts.low, lowLine(feed));
    parts.root.dataset.updates = String(feed.updates);
  }
}

/** Rate and latency in one quiet line. */
export function lowLine(feed) {
  const { quality } = feed;
  if (!quality) return format.UNKNOWN;
  const rate = Number.isFinite(quality.ratePerS) ? `${format.size(quality.ratePerS, 1)}/s` : format.UNKNOWN;
  const latency = Number.isFinite(quality.exchangeP50)
    ? `latency ${format.ms(quality.exchangeP50)} / ${format.ms(quality.exchangeP95)} / ${format.ms(quality.exchangeP99)} ms`
    : 'latency –';
  const invented = feed.source === 'stream' || feed.source === 'poll' ? '' : ` · ${feed.source.toUpperCase()}`;
  return `${rate} · ${latency}${invented}`;
}

function put(element, text) {
  if (element.textContent !== text) element.textContent = text;
}
