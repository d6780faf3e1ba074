// The DOM ladder: asks above, bids below, the spread between them.

import * as format from './format.js';
import { HEAD, LadderView, LEVELS, barScale, layoutRows, rowTop, totals, write } from './ladder_view.js';
import { alpha } from './theme.js';

const FLASH_MS = 300;

export class LadderPanel extends LadderView {
  constructor(hub, parent) {
    super(hub, parent, 'ladder');
    this.flash = null;
  }

  get parts() {
    return ['book', 'top', 'trades'];
  }

  changeFeed() {
    this.scroll = 0;
    this.flash = null;
    this.lastTrade = null;
  }

  draw(context, width, height, nowMs) {
    const { feed } = this;
    this.showTitle('Order book', this.keys[0]?.[1] ?? '');
    if (!feed) return;
    this.#noteTrade(nowMs);
    const { row, perSide } = layoutRows(height);
    const middle = this.middleOf(Math.max(feed.bids.prices.length, feed.asks.prices.length), row, perSide);
    const view = { context, width, height, row, middle, nowMs, columns: columnsOf(width), bottom: height };
    const [bidTotals, askTotals] = [totals(feed.bids.sizes), totals(feed.asks.sizes)];
    const shown = Math.min(LEVELS, perSide);
    const near = [...feed.bids.sizes.slice(0, shown), ...feed.asks.sizes.slice(0, shown)];
    const largest = barScale(near);
    view.decimals = format.columnDecimals(near, feed.sizeDecimals);
    const total = Math.max(bidTotals[shown - 1] ?? bidTotals.at(-1) ?? 0, askTotals[shown - 1] ?? askTotals.at(-1) ?? 0) || 1;
    this.clipped(view, () => {
      this.#side(view, feed.asks, askTotals, largest, total);
      this.#side(view, feed.bids, bidTotals, largest, total);
      this.#spread(view);
    });
    this.#head(view);
    this.#hover(view, bidTotals, askTotals);
  }

  summary() {
    const { feed } = this;
    const { priceDecimals: decimals, top } = feed;
    const levels = `${feed.bids.prices.length} bid and ${feed.asks.prices.length} ask levels`;
    return `Order book of ${this.keys[0][1]}: bid ${format.price(top.bid, decimals)}, ask ${format.price(top.ask, decimals)}, `
      + `spread ${format.bps(feed.spreadBps)}, ${levels}`;
  }

  #noteTrade(nowMs) {
    const trade = this.feed.trades.at(-1);
    if (!trade || trade.number === this.lastTrade?.number) return;
    const known = this.lastTrade !== undefined && this.lastTrade !== null;
    this.lastTrade = trade;
    if (known && !trade.backfill) this.flash = { price: trade.price, side: trade.side, until: nowMs + FLASH_MS };
  }

  #side(view, side, sums, largest, total) {
    const { context, columns, row, width } = view;
    const { theme, feed } = this;
    const color = side.isBid ? theme.bid : theme.ask;
    const cell = side.isBid ? columns.bid : columns.ask;
    const outer = side.isBid ? columns.bidSum : columns.askSum;
    for (let i = 0; i < side.prices.length; i++) {
      const y = rowTop(side.isBid, i, view);
      if (y + row < HEAD || y + row > view.bottom + 1) continue;
      const [price, size] = [side.prices[i], side.sizes[i]];
      const sum = (Math.min(sums[i], total) / total) * (cell.width + outer.width);
      context.fillStyle = alpha(color, 0.09);
      context.fillRect(side.isBid ? cell.x + cell.width - sum : cell.x, y, sum, row);
      if (i === 0) {
        context.fillStyle = alpha(color, 0.14);
        context.fillRect(0, y, width, row);
      }
      const bar = Math.max(1, Math.min(1, size / largest) * cell.width);
      context.fillStyle = alpha(color, i === 0 ? 0.5 : 0.32);
      context.fillRect(side.isBid ? cell.x + cell.width - bar : cell.x, y + 1, bar, row - 2);
      if (size > largest) {
        // A wall is longer than its bar can be: a bright edge says so.
        context.fillStyle = color;
        context.fillRect(side.isBid ? cell.x : cell.x + cell.width - 2, y + 1, 2, row - 2);
      }
      this.#flash(view, price, y);
      const baseline = y + row / 2 + 0.5;
      const align = side.isBid ? 'right' : 'left';
      const inner = side.isBid ? cell.x + cell.width - 6 : cell.x + 6;
      write(context, format.resting(size, view.decimals), inner, baseline, align, theme.text, this.font(view.columns.font));
      write(context, format.price(price, feed.priceDecimals), columns.price.x + columns.price.width / 2, baseline, 'center',
        color, this.font(view.columns.font, i === 0 ? 700 : 500));
      if (outer.width) {
        const edge = side.isBid ? outer.x + outer.width - 6 : outer.x + 6;
        write(context, format.size(sums[i], Math.min(2, view.decimals)), edge, baseline, align, theme.muted, this.font(view.columns.font - 1));
      }
      if (this.lastTrade && price === this.lastTrade.price) this.#mark(view, baseline);
    }
  }

  #flash(view, price, y) {
    const { flash, theme } = this;
    if (!flash || flash.price !== price) return;
    const left = (flash.until - view.nowMs) / FLASH_MS;
    if (left <= 0) return;
    this.animating = true;
    view.context.fillStyle = alpha(flash.side < 0 ? theme.ask : theme.bid, 0.4 * left);
    view.context.fillRect(view.columns.price.x, y, view.columns.price.width, view.row);
  }

  #mark({ context, columns }, y) {
    const color = this.lastTrade.side < 0 ? this.theme.ask : this.theme.bid;
    context.fillStyle = color;
    for (const [x, direction] of [[columns.price.x + 2, 1], [columns.price.x + columns.price.width - 2, -1]]) {
      context.beginPath();
      context.moveTo(x, y - 4);
      context.lineTo(x + 5 * direction, y);
      context.lineTo(x, y + 4);
      context.fill();
    }
  }

  #spread(view) {
    const { context, width } = view;
    const { theme, feed } = this;
    const y = this.band(view);
    const trade = this.lastTrade;
    const arrow = trade ? (trade.side > 0 ? '▲ ' : trade.side < 0 ? '▼ ' : '') : '';
    const color = !trade || trade.side === 0 ? theme.text : trade.side > 0 ? theme.bid : theme.ask;
    const shown = trade ? trade.price : feed.mid;
    write(context, arrow + format.price(shown, feed.priceDecimals), 10, y, 'left', color, this.font(view.columns.font + 3, 700));
    const { bid, ask } = feed.top;
    const spread = `${format.price(ask - bid, feed.priceDecimals)} · ${format.bps(feed.spreadBps)}`;
    write(context, width > 300 ? `spread ${spread}` : spread, width - 10, y, 'right', theme.muted, this.font(view.columns.font));
  }

  #head(view) {
    const { columns } = view;
    const cell = this.head(view);
    cell('BID SIZE', columns.bid.x + columns.bid.width - 6, 'right');
    cell('PRICE', columns.price.x + columns.price.width / 2, 'center');
    cell('ASK SIZE', columns.ask.x + 6, 'left');
    if (columns.bidSum.width) {
      cell('TOTAL', columns.bidSum.x + columns.bidSum.width - 6, 'right');
      cell('TOTAL', columns.askSum.x + 6, 'left');
    }
  }

  #hover(view, bidTotals, askTotals) {
    const { pointer, feed } = this;
    const hit = this.hovered(view, [feed.bids.prices.length, feed.asks.prices.length]);
    if (!hit) return this.showTip(null);
    const side = hit.isBid ? feed.bids : feed.asks;
    const price = side.prices[hit.index];
    const sum = (hit.isBid ? bidTotals : askTotals)[hit.index];
    return this.showTip([
      ['price', format.price(price, feed.priceDecimals)],
      ['size', format.price(side.sizes[hit.index], feed.sizeDecimals)],
      ['total', format.price(sum, feed.sizeDecimals)],
      ['from mid', format.bps(((price - feed.mid) / feed.mid) * 1e4)],
    ], pointer.x, hit.y);
  }
}

/** Where the columns stand for a width. Totals are left out where there is no room. */
export function columnsOf(width) {
  const font = width < 340 ? 11 : 12;
  const sums = width >= 400;
  const price = Math.round(Math.min(130, Math.max(88, width * 0.28)));
  const side = (width - price) / 2;
  const outer = sums ? Math.round(side * 0.42) : 0;
  return {
    font,
    bidSum: { x: 0, width: outer },
    bid: { x: outer, width: side - outer },
    price: { x: side, width: price },
    ask: { x: side + price, width: side - outer },
    askSum: { x: width - outer, width: outer },
  };
}
