// The consolidated ladder: the books of several venues as one, each level's bar stacked by venue.

import { consolidate, LIVE, STALE, standing, WAITING } from './consolidate.js';
import * as format from './format.js';
import { barScale, HEAD, LadderView, layoutRows, LEVELS, rowTop, totals, write } from './ladder_view.js';
import { make } from './panel.js';
import { alpha } from './theme.js';
import { colorOf, letterOf, patternOf, venueName } from './venues.js';

const LETTER_FROM = 15;
const GAP_KEPT_MS = 60_000;

const CSS = `
.td-venues { display: flex; flex-wrap: wrap; gap: 2px 14px; padding: 4px 10px; flex: none; border-bottom: 1px solid var(--td-border); font-size: 11px; }
.td-venue { display: flex; align-items: center; gap: 5px; white-space: nowrap; }
.td-venue b { width: 17px; height: 15px; border-radius: 3px; color: var(--td-background); font: 700 10px/15px var(--td-mono); text-align: center; }
.td-venue i { font-style: normal; color: var(--td-muted); }
.td-venue.out span { text-decoration: line-through; color: var(--td-muted); } .td-venue.out b { opacity: .35; } .td-venue.out i { color: var(--td-warn); font-weight: 600; }
.td-lastgap { padding: 3px 10px; flex: none; border-top: 1px solid var(--td-border); color: var(--td-muted); font-size: 11px; white-space: nowrap; overflow: hidden; text-overflow: ellipsis; }
`;

export class AcrossPanel extends LadderView {
  constructor(hub, parent) {
    super(hub, parent, 'across');
    parent.append(make('style', '', {}, [CSS]));
    this.legend = make('div', 'td-venues');
    this.bar.after(this.legend);
    this.foot = make('div', 'td-lastgap');
    this.root.append(this.foot);
    this.members = [];
    this.lastGap = null;
  }

  /** `data.members` is a list of { key, on }; `data.step` is { ticks, unit } or null; `data.title` names the instrument. */
  update(data) {
    this.data = data;
    this.root.style.height = `${data.height ?? 660}px`;
    const names = JSON.stringify([data.title, data.members.map((member) => member.key)]);
    this.members = data.members;
    this.keys = data.members.map((member) => member.key);
    this.feed = this.keys.length ? this.hub.feed(this.keys[0]) : null;
    this.root.dataset.symbol = data.title;
    if (names !== this.names) {
      this.names = names;
      this.scroll = 0;
      this.lastGap = null;
      this.cells = this.members.map((member, i) => this.#cell(member, i));
      this.legend.replaceChildren(...this.cells.map((cell) => cell.root));
    }
    this.touch();
  }

  get feeds() {
    return this.keys.map((key) => this.hub.feed(key));
  }

  /** Changes with every book, and by itself when a venue falls silent. */
  stamp() {
    const [feeds, now] = [this.feeds, performance.timeOrigin + performance.now()];
    this.standings = this.members.map((member, i) => standing(feeds[i], member.on, this.hub.cut, now));
    const versions = feeds.reduce((sum, { versions: { book, head } }) => sum + book + head, this.touched);
    return `${versions} ${this.standings.join()} ${this.lastGap ? Math.floor((now - this.lastGap.atMs) / 1000) : ''}`;
  }

  overlay() {
    if (this.hub.cut) return { word: 'RECONNECTING', reason: 'no connection to the server', dim: true };
    if (!this.standings || this.standings.includes(LIVE)) return null;
    const wanted = this.members.some((member) => member.on);
    return { word: 'NO VENUE COUNTS', reason: wanted ? 'none of them is live' : 'all are left out', dim: true };
  }

  draw(context, width, height, nowMs) {
    const feeds = this.feeds;
    const { step } = this.data;
    this.showTitle('All venues', `${this.data.title}${step ? ` · by ${step.ticks / step.unit}` : ''}`);
    const whole = consolidate(feeds.map((feed, i) => (this.standings[i] === LIVE ? feed : null)), step);
    this.whole = whole;
    this.#noteGap(whole, nowMs);
    this.#showLegend(feeds, nowMs);
    const { row, perSide } = layoutRows(height);
    const middle = this.middleOf(Math.max(whole.bids.length, whole.asks.length), row, perSide);
    const shown = Math.min(LEVELS, perSide);
    const near = [...whole.bids.slice(0, shown), ...whole.asks.slice(0, shown)].map((level) => level.size);
    const decimals = Math.max(0, ...feeds.map((feed) => feed.sizeDecimals));
    this.decimals = Math.max(0, ...feeds.map((feed) => feed.priceDecimals));
    const view = {
      context, width, row, middle, bottom: height, columns: acrossColumns(width), whole,
      largest: barScale(near), sizeDecimals: format.columnDecimals(near, decimals), ratio: window.devicePixelRatio || 1,
    };
    this.clipped(view, () => {
      this.#side(view, whole.asks, false);
      this.#side(view, whole.bids, true);
      this.#middle(view);
    });
    this.#head(view);
    this.#hover(view);
    this.#expose();
  }

  summary() {
    const { bestBid, bestAsk } = this.whole ?? {};
    const at = (best) => (best ? `${format.price(best.price, this.decimals)} at ${best.venues.map((i) => venueName(this.keys[i][0])).join(' and ')}` : format.UNKNOWN);
    return `Consolidated book of ${this.data.title}: bid ${at(bestBid)}, ask ${at(bestAsk)}, `
      + `${this.standings.filter((one) => one === LIVE).length} of ${this.members.length} venues count`;
  }

  #cell({ key }, i) {
    const parts = { badge: make('b', '', {}, [letterOf(i)]), word: make('i') };
    parts.root = make('span', 'td-venue', { 'data-venue': key[0] }, [parts.badge, make('span', '', { title: key[0] }, [venueName(key[0])]), parts.word]);
    return parts;
  }

  #showLegend(feeds, nowMs) {
    this.cells.forEach(({ root, badge, word }, i) => {
      badge.style.background = colorOf(i, this.theme);
      const state = this.standings[i];
      root.classList.toggle('out', state !== LIVE);
      root.dataset.standing = state;
      const text = this.hub.cut ? format.UNKNOWN : wordOf(state, feeds[i], nowMs);
      if (word.textContent !== text) word.textContent = text;
    });
  }

  #noteGap({ gaps: [gap] }, nowMs) {
    if (gap) this.lastGap = { ...gap, atMs: nowMs };
    if (this.lastGap && nowMs - this.lastGap.atMs > GAP_KEPT_MS) this.lastGap = null;
    const last = this.lastGap;
    const ago = last ? (nowMs - last.atMs < 1000 ? 'now' : `${Math.floor((nowMs - last.atMs) / 1000)} s ago`) : '';
    const text = last ? `last gap ${ago}: ${this.#gapWords(last)}` : 'no arbitrage gap in the last minute';
    if (this.foot.textContent !== text) this.foot.textContent = text;
  }

  #gapWords({ buy, sell, ask, bid, bps, quantity }) {
    const places = this.decimals ?? 2;
    return `buy ${letterOf(buy)} ${format.price(ask, places)} → sell ${letterOf(sell)} ${format.price(bid, places)}, `
      + `gross ${format.bps(bps)} × ${format.size(quantity)}`;
  }

  #side(view, levels, isBid) {
    const { context, columns, row, width, whole } = view;
    const { theme } = this;
    const color = isBid ? theme.bid : theme.ask;
    const rival = isBid ? whole.bestAsk : whole.bestBid;
    const end = isBid ? whole.wholeBid : whole.wholeAsk;
    let sum = 0;
    for (let i = 0; i < levels.length; i++) {
      const y = rowTop(isBid, i, view);
      const level = levels[i];
      sum += level.size;
      if (y + row < HEAD || y > view.bottom) continue;
      const crossed = rival && (isBid ? level.price >= rival.price : level.price <= rival.price);
      if (i === 0 || crossed) {
        context.fillStyle = alpha(crossed ? theme.warn : color, crossed ? 0.2 : 0.12);
        context.fillRect(0, y, width, row);
      }
      this.#bar(view, level, y);
      const baseline = y + row / 2 + 0.5;
      write(context, format.size(level.size, view.sizeDecimals), columns.size.x + columns.size.width, baseline, 'right', theme.text, this.font(columns.font));
      write(context, format.price(level.price, this.decimals), columns.price.x + columns.price.width, baseline, 'right', color,
        this.font(columns.font, i === 0 ? 700 : 500));
      if (columns.sum.width) {
        write(context, format.size(sum, Math.min(2, view.sizeDecimals)), columns.sum.x + columns.sum.width, baseline, 'right', theme.muted, this.font(columns.font - 1));
      }
      const next = levels[i + 1];
      if (next && (isBid ? level.price >= end && next.price < end : level.price <= end && next.price > end)) {
        this.#limit(view, isBid ? y + row : y);
      }
    }
  }

  /** One bar, a piece per venue, in the venues' order. */
  #bar({ context, columns, row, largest, ratio }, level, y) {
    const { theme } = this;
    const { x, width } = columns.bar;
    const scale = Math.min(1, largest / level.size) * (width / largest);
    let left = x;
    context.font = this.font(9, 700);
    context.textAlign = 'center';
    for (const [member, size] of level.shares) {
      const long = Math.max(1, size * scale);
      context.fillStyle = patternOf(context, member, theme, ratio);
      context.fillRect(left, y + 2, long, row - 4);
      if (long >= LETTER_FROM && row >= 13) {
        context.fillStyle = colorOf(member, theme);
        context.fillRect(left + long / 2 - 5, y + 2, 10, row - 4);
        context.fillStyle = theme.background;
        context.fillText(letterOf(member), left + long / 2, y + row / 2 + 0.5);
      }
      left += long;
    }
    if (level.size > largest) {
      // A wall is longer than its bar can be: a bright edge says so.
      context.fillStyle = theme.text;
      context.fillRect(x + width - 2, y + 1, 2, row - 2);
    }
  }

  /** Beyond this line some of the venues show nothing, whatever they may have. */
  #limit({ context, width, columns }, y) {
    context.strokeStyle = this.theme.muted;
    context.setLineDash([4, 3]);
    context.beginPath();
    context.moveTo(0, Math.round(y) + 0.5);
    context.lineTo(width, Math.round(y) + 0.5);
    context.stroke();
    context.setLineDash([]);
    write(context, 'beyond: not every venue shows this far', width - 8, y - 6, 'right', this.theme.muted, this.font(columns.font - 2));
  }

  #middle(view) {
    const { context, width, whole, columns } = view;
    const { theme } = this;
    const { bestBid, bestAsk, gaps: [gap] } = whole;
    const y = gap ? this.band(view, theme.warn, 2) : this.band(view);
    if (gap) {
      const words = width > 430 ? `GAP  ${this.#gapWords(gap)}` : `GAP  ${letterOf(gap.buy)}→${letterOf(gap.sell)}  ${format.bps(gap.bps)}`;
      write(context, words, width / 2, y, 'center', theme.warn, this.font(columns.font, 700));
      return;
    }
    const names = (best) => (best ? best.venues.map(letterOf).join('') : format.UNKNOWN);
    const spread = bestBid && bestAsk ? bestAsk.price - bestBid.price : NaN;
    const bps = (spread / (bestAsk?.price + bestBid?.price)) * 2e4;
    write(context, `spread ${format.price(spread, this.decimals)} · ${format.bps(bps)}`, width / 2, y, 'center', theme.text, this.font(columns.font, 600));
    write(context, `bid ${names(bestBid)}`, 10, y, 'left', theme.bid, this.font(columns.font, 600));
    write(context, `ask ${names(bestAsk)}`, width - 10, y, 'right', theme.ask, this.font(columns.font, 600));
  }

  #head(view) {
    const { bar, price, size, sum } = view.columns;
    const cell = this.head(view);
    cell('PRICE', price.x + price.width, 'right');
    cell('SIZE', size.x + size.width, 'right');
    if (sum.width) cell('TOTAL', sum.x + sum.width, 'right');
    cell('BY VENUE', bar.x, 'left');
  }

  #hover(view) {
    const { whole, sizeDecimals } = view;
    const hit = this.hovered(view, [whole.bids.length, whole.asks.length]);
    if (!hit) return this.showTip(null);
    const levels = hit.isBid ? whole.bids : whole.asks;
    const level = levels[hit.index];
    const sums = totals(levels.slice(0, hit.index + 1).map((one) => one.size));
    return this.showTip([
      ['price', format.price(level.price, this.decimals)],
      ...level.shares.map(([member, size]) => [`${letterOf(member)} ${venueName(this.keys[member][0])}`, format.size(size, sizeDecimals)]),
      ['all', format.size(level.size, sizeDecimals)],
      ['to here', format.size(sums.at(-1), sizeDecimals)],
    ], this.pointer.x, hit.y);
  }

  /** For tests and for whoever looks with tools: what counts, and at which price. */
  #expose() {
    const { dataset } = this.root;
    dataset.venues = this.members.map(({ key }, i) => `${key[0]}=${this.standings[i]}`).join(' ');
    const members = new Set([...this.whole.bids, ...this.whole.asks].flatMap(({ shares }) => shares.map(([member]) => member)));
    dataset.standing = [...members].sort().map((member) => this.keys[member][0]).join(' ');
    dataset.gap = this.whole.gaps.length ? this.whole.gaps[0].bps.toFixed(4) : '';
  }
}

/** What the legend says beside a venue: nothing while it is simply live. */
export function wordOf(standing, feed, nowMs) {
  const shows = feed.state === 'live' || feed.state === 'polling';
  if (standing === LIVE) return feed.state === 'live' ? '' : feed.state;
  if (standing === STALE) return `stale ${format.age(feed.ageS(nowMs))}`;
  if (standing === WAITING) return shows ? 'no book' : feed.state.replace('_', ' ');
  return standing;
}

/** Where the columns stand for a width: price, size, the bar, and the running total where there is room. */
export function acrossColumns(width) {
  const font = width < 340 ? 11 : 12;
  const price = { x: 0, width: Math.round(Math.min(104, Math.max(82, width * 0.2))) };
  const size = { x: price.width, width: width < 340 ? 58 : 74 };
  const sum = { x: width - 8, width: 0 };
  if (width >= 460) Object.assign(sum, { x: width - 8 - 78, width: 78 });
  const from = size.x + size.width + 12;
  return { font, price, size, bar: { x: from, width: Math.max(20, sum.x - from - 8) }, sum };
}
