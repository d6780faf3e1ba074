// Several venues' books as one, in the browser: the same rules as engine/market/consolidated.py. Pure: time is passed in.

export const [LIVE, STALE, CROSSED, WAITING, OFF] = ['live', 'stale', 'crossed', 'waiting', 'off'];
export const DEPTH = 50;
const STALE_AFTER_S = 5;
const NEAR = 1e-12;

/**
 * Whether a venue's levels count: only those of LIVE ones do. `feed` is its FeedState, `on` whether the person wants it,
 * `cut` whether nothing can come at the moment.
 */
export function standing(feed, on, cut, nowMs) {
  if (!on) return OFF;
  if (cut || !feed.frames) return WAITING;
  const hasData = feed.state === LIVE || feed.state === 'polling';
  if (!hasData && feed.state !== STALE) return WAITING;
  // A recording has a clock of its own: its age means nothing here, its state does.
  const age = feed.source === 'replay' ? 0 : feed.ageS(nowMs);
  if (!hasData || !(age < (feed.meta?.stale_after_s ?? STALE_AFTER_S))) return STALE;
  const [bids, asks] = [feed.bids.prices, feed.asks.prices];
  if (!bids.length && !asks.length) return WAITING;
  return bids.length && asks.length && bids[0] >= asks[0] ? CROSSED : LIVE;
}

/** The step that a price belongs to (`step` is { ticks, unit }): bids down, asks up, so that none looks better than it is. */
export function stepPrice(price, step, up) {
  const exact = (price * step.unit) / step.ticks;
  const near = Math.round(exact);
  const number = Math.abs(exact - near) < NEAR * exact ? near : up ? Math.ceil(exact) : Math.floor(exact);
  return (number * step.ticks) / step.unit;
}

/** The whole of `books` [{ bids: {prices, sizes}, asks } or null where a venue does not count], in the members' order. */
export function consolidate(books, step = null) {
  return {
    bids: merge(books, 'bids', step, false),
    asks: merge(books, 'asks', step, true),
    bestBid: best(books, 'bids', Math.max),
    bestAsk: best(books, 'asks', Math.min),
    gaps: gaps(books),
    wholeBid: whole(books, 'bids', Math.max),
    wholeAsk: whole(books, 'asks', Math.min),
  };
}

function merge(books, side, step, up) {
  const levels = new Map();
  books.forEach((book, member) => {
    if (!book) return;
    const { prices, sizes } = book[side];
    const n = Math.min(prices.length, DEPTH);
    for (let i = 0; i < n; i++) {
      const price = step ? stepPrice(prices[i], step, up) : prices[i];
      let level = levels.get(price);
      if (!level) levels.set(price, (level = { price, size: 0, shares: [] }));
      const last = level.shares.at(-1);
      if (last && last[0] === member) last[1] += sizes[i];
      else level.shares.push([member, sizes[i]]);
    }
  });
  const sorted = [...levels.values()].sort(up ? (a, b) => a.price - b.price : (a, b) => b.price - a.price);
  for (const level of sorted) for (const [, size] of level.shares) level.size += size;
  return sorted;
}

function best(books, side, choose) {
  const tops = [];
  books.forEach((book, member) => {
    if (book?.[side].prices.length) tops.push([member, book[side].prices[0], book[side].sizes[0]]);
  });
  if (!tops.length) return null;
  const price = choose(...tops.map(([, own]) => own));
  const there = tops.filter(([, own]) => own === price);
  return { price, size: there.reduce((sum, [, , size]) => sum + size, 0), venues: there.map(([member]) => member) };
}

/** Every pair of which one bids above what the other asks, the widest first. */
function gaps(books) {
  const found = [];
  books.forEach((asked, buy) => books.forEach((bidding, sell) => {
    if (buy === sell || !asked?.asks.prices.length || !bidding?.bids.prices.length) return;
    const [ask, askSize, bid, bidSize] = [asked.asks.prices[0], asked.asks.sizes[0], bidding.bids.prices[0], bidding.bids.sizes[0]];
    if (bid > ask) found.push({ buy, sell, ask, askSize, bid, bidSize, quantity: Math.min(askSize, bidSize), bps: ((bid - ask) / ask) * 1e4 });
  }));
  return found.sort((a, b) => b.bps - a.bps);
}

/** To where every venue that counts is seen. */
function whole(books, side, choose) {
  const ends = [];
  for (const book of books) {
    const n = book ? Math.min(book[side].prices.length, DEPTH) : 0;
    if (n) ends.push(book[side].prices[n - 1]);
  }
  return ends.length ? choose(...ends) : null;
}
