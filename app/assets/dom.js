// The ladder of order flow: resting size, what was traded at each price, what was added and pulled, walls and refills.

import { marketTime } from './flow_panel.js';
import * as format from './format.js';
import { worded } from './gauges.js';
import { barScale, HEAD, LadderView, layoutRows, LEVELS, rowTop, write } from './ladder_view.js';
import { alpha } from './theme.js';

const REFILL_SHOWN_MS = 60_000;

export class DomPanel extends LadderView {
  constructor(hub, parent) {
    super(hub, parent, 'dom');
  }

  update(data) {
    super.update(data);
    if (data.flow) this.keys = [data.feed, data.flow];
  }

  get flow() {
    return this.keys.length > 1 ? this.hub.feed(this.keys[1]).flow : null;
  }

  get parts() {
    return ['book', 'top'];
  }

  stamp() {
    const { flow } = this;
    return super.stamp() + (flow ? flow.versions.levels + flow.versions.standing + flow.versions.events : 0);
  }

  changeFeed() {
    this.scroll = 0;
  }

  draw(context, width, height, nowMs) {
    const { feed, flow } = this;
    this.showTitle('DOM ladder', this.keys[0]?.[1] ?? '');
    if (!feed || !flow) return;
    const { row, perSide } = layoutRows(height);
    const middle = this.middleOf(Math.max(feed.bids.prices.length, feed.asks.prices.length), row, perSide);
    const shown = Math.min(LEVELS, perSide);
    const near = [...feed.bids.sizes.slice(0, shown), ...feed.asks.sizes.slice(0, shown)];
    const levels = [...flow.levels.values()];
    const view = {
      context, width, row, middle, bottom: height, columns: domColumns(width), largest: barScale(near),
      decimals: format.columnDecimals(near, feed.sizeDecimals),
      traded: Math.max(...levels.map(({ bought, sold }) => bought + sold), 0),
      churned: barScale(levels.flatMap(({ added, pulled }) => [added, pulled]).filter((size) => size > 0)),
      refills: this.#refills(marketTime(feed, flow, nowMs)),
    };
    this.clipped(view, () => {
      this.#side(view, feed.asks);
      this.#side(view, feed.bids);
      this.#middle(view);
    });
    this.#head(view);
    this.#hover(view);
    this.root.dataset.traded = String(levels.filter(({ bought, sold }) => bought + sold > 0).length);
    this.root.dataset.churned = String(levels.filter(({ added, pulled }) => added + pulled > 0).length);
    this.root.dataset.walls = String(flow.walls.size);
  }

  summary() {
    const { feed, flow } = this;
    return `Ladder of ${this.keys[0][1]}: bid ${format.price(feed.top.bid, feed.priceDecimals)}, ask `
      + `${format.price(feed.top.ask, feed.priceDecimals)}, ${flow.walls.size} walls`;
  }

  #refills(nowMs) {
    const found = this.flow.events.filter(({ kind, t }) => kind === 'refill' && nowMs - t < REFILL_SHOWN_MS);
    return new Map(found.map((event) => [event.price, event]));
  }

  #side(view, side) {
    for (let i = 0; i < side.prices.length; i++) {
      const y = rowTop(side.isBid, i, view);
      if (y + view.row < HEAD || y > view.bottom) continue;
      this.#level(view, side, i, y);
    }
  }

  #level(view, side, i, y) {
    const { context, columns, row, width } = view;
    const { theme, feed, flow } = this;
    const color = side.isBid ? theme.bid : theme.ask;
    const [price, size] = [side.prices[i], side.sizes[i]];
    const known = flow.levels.get(price);
    if (i === 0) {
      context.fillStyle = alpha(color, 0.14);
      context.fillRect(0, y, width, row);
    }
    const bar = Math.max(1, Math.min(1, size / view.largest) * columns.size.width);
    context.fillStyle = alpha(color, i === 0 ? 0.5 : 0.3);
    context.fillRect(columns.size.x, y + 1, bar, row - 2);
    const wall = flow.walls.has(price);
    if (wall) {
      context.strokeStyle = theme.warn;
      context.lineWidth = 1.5;
      context.strokeRect(columns.size.x + 0.5, y + 1.5, columns.size.width - 1, row - 3);
    }
    const baseline = y + row / 2 + 0.5;
    const font = this.font(columns.font);
    write(context, format.resting(size, view.decimals), columns.size.x + columns.size.width - 6, baseline, 'right', theme.text, this.font(columns.font, wall ? 700 : 400));
    write(context, format.price(price, feed.priceDecimals), columns.price.x + columns.price.width - 6, baseline, 'right', color, this.font(columns.font, i === 0 ? 700 : 500));
    const marks = `${wall ? 'W' : ''}${view.refills.has(price) ? '↻' : ''}`;
    if (marks) write(context, marks, columns.price.x + 3, baseline, 'left', theme.warn, this.font(columns.font - 1, 700));
    if (!known) return;
    this.#churn(view, known, y);
    if (known.bought + known.sold > 0) this.#traded(view, known, y, baseline, font);
  }

  /** Two thin bars from the middle of the column: pulled to the left, added to the right. */
  #churn({ context, columns: { churn }, row, churned }, { added, pulled }, y) {
    const { theme } = this;
    const centre = churn.x + churn.width / 2;
    const scale = (churn.width / 2 - 2) / churned;
    context.fillStyle = alpha(theme.warn, 0.85);
    const out = Math.min(churn.width / 2 - 2, pulled * scale);
    context.fillRect(centre - out, y + 3, out, row - 6);
    context.fillStyle = alpha(theme.text, 0.55);
    context.fillRect(centre, y + 3, Math.min(churn.width / 2 - 2, added * scale), row - 6);
    context.fillStyle = theme.grid;
    context.fillRect(centre, y, 1, row);
  }

  /** Sold and bought here, one after the other, and their sum. */
  #traded({ context, columns: { traded }, row, traded: most, decimals }, { bought, sold }, y, baseline, font) {
    const { theme } = this;
    const scale = traded.width / most;
    context.fillStyle = alpha(theme.ask, 0.45);
    context.fillRect(traded.x, y + 2, sold * scale, row - 4);
    context.fillStyle = alpha(theme.bid, 0.45);
    context.fillRect(traded.x + sold * scale, y + 2, bought * scale, row - 4);
    write(context, format.resting(bought + sold, decimals), traded.x + traded.width - 4, baseline, 'right', theme.text, font);
  }

  #middle(view) {
    const { context, width, columns } = view;
    const { theme, feed } = this;
    const y = this.band(view);
    const spread = feed.top.ask - feed.top.bid;
    const ticks = this.flow.tick > 0 ? ` · ${worded(Math.round(spread / this.flow.tick), 'ticks', 0)}` : '';
    const words = `spread ${format.price(spread, feed.priceDecimals)} · ${format.bps(feed.spreadBps)}${ticks}`;
    write(context, words, width / 2, y, 'center', theme.text, this.font(columns.font, 600));
  }

  #head(view) {
    const { churn, price, size, traded } = view.columns;
    const cell = this.head(view);
    cell(view.width < 420 ? '−  +' : 'PULLED  ADDED', churn.x + churn.width / 2, 'center');
    cell('PRICE', price.x + price.width - 6, 'right');
    cell('RESTING', size.x + size.width - 6, 'right');
    cell('TRADED', traded.x + traded.width - 4, 'right');
  }

  #hover(view) {
    const { decimals, refills } = view;
    const { pointer, feed, flow } = this;
    if (pointer && pointer.y <= HEAD) return this.#explain(pointer);
    const hit = this.hovered(view, [feed.bids.prices.length, feed.asks.prices.length]);
    if (!hit) return this.showTip(null);
    const side = hit.isBid ? feed.bids : feed.asks;
    const price = side.prices[hit.index];
    const known = flow.levels.get(price) ?? { bought: 0, sold: 0, added: NaN, pulled: NaN };
    const lines = [
      ['price', format.price(price, feed.priceDecimals)],
      ['resting', format.price(side.sizes[hit.index], feed.sizeDecimals)],
      ['sold / bought here', `${format.size(known.sold, decimals)} / ${format.size(known.bought, decimals)}`],
      ['added in 10 s ≈', format.size(known.added, decimals)],
      ['pulled in 10 s ≈', format.size(known.pulled, decimals)],
    ];
    const wall = flow.walls.get(price);
    if (wall) lines.push(['wall since', `${format.time(wall).slice(0, 8)}: at least 8 × the usual size within 50 bps`]);
    const refill = refills.get(price);
    if (refill) lines.push(['refilled', `${refill.evidence.refills} times, ${format.size(refill.size)} traded, at most ${format.size(refill.evidence.peak)} shown`]);
    return this.showTip(lines, pointer.x, hit.y);
  }

  #explain(pointer) {
    return this.showTip([
      ['PULLED ≈', 'size that went in the last 10 s and that no trade explains'],
      ['ADDED ≈', 'size that came in the last 10 s'],
      ['RESTING', 'size in the book now; W a wall, ↻ refilled after trades'],
      ['TRADED', 'sold (orange) and bought (blue) at this price since the page watches'],
    ], pointer.x, pointer.y);
  }
}

/** Where the columns stand for a width. */
export function domColumns(width) {
  const font = width < 400 ? 11 : 12;
  const churn = { x: 0, width: Math.round(width * (width < 420 ? 0.16 : 0.22)) };
  const price = { x: churn.width, width: Math.round(Math.min(120, Math.max(86, width * 0.24))) };
  const rest = width - churn.width - price.width;
  const size = { x: price.x + price.width, width: Math.round(rest * 0.54) };
  const traded = { x: size.x + size.width + 8, width: rest - size.width - 12 };
  return { font, churn, price, size, traded };
}
