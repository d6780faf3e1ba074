// What the panels know of one feed, kept up to date by frames. Pure: no DOM, time is passed in.

import { DELTA, HEARTBEAT, OVERLAP, SNAPSHOT } from './codec.js';
import { FlowState } from './flow_state.js';

export const TRADES_KEPT = 500;
export const FINE_POINTS = 1200;
export const COARSE_POINTS = 3600;
export const COARSE_EVERY_MS = 1000;
const SIGNALS_KEPT = 200;
const OFFSETS_KEPT = 64;

/** One side of a book, best first. */
export class Side {
  constructor(isBid) {
    this.isBid = isBid;
    this.levels = new Map();
    this.prices = [];
    this.sizes = [];
  }

  replace(pairs) {
    this.levels.clear();
    this.change(pairs);
  }

  change(pairs) {
    const levels = this.levels;
    for (let i = 0; i < pairs.length; i += 2) {
      if (pairs[i + 1] > 0) levels.set(pairs[i], pairs[i + 1]);
      else levels.delete(pairs[i]);
    }
    this.prices = [...levels.keys()].sort(this.isBid ? (a, b) => b - a : (a, b) => a - b);
    this.sizes = this.prices.map((price) => levels.get(price));
  }
}

/** Prices over time: the newest as they came, before those one per second. */
export class Points {
  constructor() {
    this.clear();
  }

  clear() {
    this.fine = { t: [], bid: [], ask: [] };
    this.coarse = { t: [], bid: [], ask: [] };
  }

  get lastMs() {
    const { t } = this.fine;
    return t.length ? t[t.length - 1] : -Infinity;
  }

  add(triples) {
    const { fine, coarse } = this;
    for (let i = 0; i < triples.length; i += 3) {
      if (triples[i] > this.lastMs) {
        fine.t.push(triples[i]);
        fine.bid.push(triples[i + 1]);
        fine.ask.push(triples[i + 2]);
      }
    }
    const surplus = fine.t.length - FINE_POINTS;
    // Moving many at a time keeps the cost per point low.
    if (surplus > FINE_POINTS / 10) {
      const [t, bid, ask] = [fine.t.splice(0, surplus), fine.bid.splice(0, surplus), fine.ask.splice(0, surplus)];
      let last = coarse.t.length ? coarse.t[coarse.t.length - 1] : -Infinity;
      for (let i = 0; i < surplus; i++) {
        if (t[i] - last >= COARSE_EVERY_MS) {
          coarse.t.push(t[i]);
          coarse.bid.push(bid[i]);
          coarse.ask.push(ask[i]);
          last = t[i];
        }
      }
      const old = coarse.t.length - COARSE_POINTS;
      if (old > 0) [coarse.t, coarse.bid, coarse.ask].forEach((column) => column.splice(0, old));
    }
  }

  /** Columns since `fromMs`, at most about `most` points, oldest first. */
  since(fromMs, most) {
    const out = { t: [], bid: [], ask: [] };
    for (const part of [this.coarse, this.fine]) {
      let start = lowerBound(part.t, fromMs);
      const step = Math.max(1, Math.ceil((part.t.length - start) / most));
      // Anchored to the end so that the newest point is always there.
      start += (part.t.length - 1 - start) % step;
      for (let i = Math.max(start, 0); i < part.t.length; i += step) {
        out.t.push(part.t[i]);
        out.bid.push(part.bid[i]);
        out.ask.push(part.ask[i]);
      }
    }
    return out;
  }
}

function lowerBound(sorted, value) {
  let [low, high] = [0, sorted.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (sorted[middle] < value) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** One feed. `versions` counts changes per part, so that a panel knows whether it has something to draw. */
export class FeedState {
  constructor() {
    this.seq = null;
    this.frames = 0;
    this.gapsSeen = 0;
    this.state = 'connecting';
    this.source = 'stream';
    this.meta = null;
    this.priceDecimals = 0;
    this.sizeDecimals = 0;
    this.lastMs = this.newestMs = this.oldestMs = this.serverMs = NaN;
    this.updates = 0;
    this.paintedUpdates = null;
    this.top = { bid: NaN, bidSize: NaN, ask: NaN, askSize: NaN };
    this.direction = 0;
    this.bids = new Side(true);
    this.asks = new Side(false);
    this.depth = null;
    this.trades = [];
    this.lastTradeNumber = 0;
    this.points = new Points();
    this.signals = [];
    this.gaps = new Float64Array(0);
    this.quality = null;
    this.flow = new FlowState();
    this.offsets = [];
    this.versions = { head: 0, top: 0, book: 0, depth: 0, trades: 0, points: 0, signals: 0, quality: 0 };
  }

  /** Take one frame that arrived at `nowMs`. False: a frame is missing, ask for a snapshot. */
  apply(frame, nowMs) {
    const whole = frame.kind === SNAPSHOT;
    if (frame.kind === DELTA) {
      if (this.seq === null) return false;
      if (frame.seq <= this.seq) return true;
      if (frame.seq !== this.seq + 1) return this.#missed();
    } else if (frame.kind === HEARTBEAT && frame.seq !== this.seq) {
      return this.seq === null ? false : this.#missed();
    }
    this.seq = frame.seq;
    this.frames += 1;
    this.#takeHead(frame, nowMs);
    if (whole) this.#clear();
    this.#takeBook(frame, whole || frame.kind === OVERLAP);
    this.#takeRuns(frame);
    if (frame.flow) this.flow.take(frame.flow, whole);
    return true;
  }

  /** Seconds since the venue's last word, by the server's clock; NaN before the first. */
  ageS(nowMs) {
    return Math.max(0, (nowMs - this.offsetMs - this.lastMs) / 1000);
  }

  /** This clock minus the server's (the quickest of the last messages, so that delays do not count as offset). */
  get offsetMs() {
    return this.offsets.length ? Math.min(...this.offsets) : 0;
  }

  /** What was not painted before: how many updates, and when the oldest and the newest of them were received. */
  takeFresh() {
    const events = this.paintedUpdates === null ? 0 : this.updates - this.paintedUpdates;
    const fresh = { oldestMs: this.oldestMs, newestMs: this.newestMs, events };
    this.paintedUpdates = this.updates;
    this.oldestMs = NaN;
    return fresh;
  }

  get mid() {
    return (this.top.bid + this.top.ask) / 2;
  }

  get spreadBps() {
    return ((this.top.ask - this.top.bid) / this.mid) * 1e4;
  }

  #missed() {
    this.gapsSeen += 1;
    this.seq = null;
    return false;
  }

  #clear() {
    this.trades = [];
    this.lastTradeNumber = 0;
    this.points.clear();
    this.signals = [];
  }

  #takeHead(frame, nowMs) {
    const { top, versions } = this;
    this.offsets.push(nowMs - frame.serverMs);
    if (this.offsets.length > OFFSETS_KEPT) this.offsets.shift();
    if (frame.state !== this.state || frame.source !== this.source || frame.meta) versions.head += 1;
    if (frame.priceDecimals !== this.priceDecimals || frame.sizeDecimals !== this.sizeDecimals) versions.head += 1;
    const before = this.mid;
    const changed = !same(top.bid, frame.bid) || !same(top.ask, frame.ask)
      || !same(top.bidSize, frame.bidSize) || !same(top.askSize, frame.askSize);
    if (changed) {
      this.top = { bid: frame.bid, bidSize: frame.bidSize, ask: frame.ask, askSize: frame.askSize };
      if (this.mid > before) this.direction = 1;
      else if (this.mid < before) this.direction = -1;
      versions.top += 1;
    }
    this.state = frame.state;
    this.source = frame.source;
    this.priceDecimals = frame.priceDecimals;
    this.sizeDecimals = frame.sizeDecimals;
    this.serverMs = frame.serverMs;
    this.lastMs = frame.lastMs;
    this.updates = frame.updates;
    if (!Number.isNaN(frame.newestMs)) {
      this.newestMs = frame.newestMs;
      // Until it is painted, the oldest of several frames counts.
      if (Number.isNaN(this.oldestMs)) this.oldestMs = frame.oldestMs;
    }
    if (frame.meta) this.meta = frame.meta;
  }

  #takeBook(frame, whole) {
    for (const [side, pairs] of [[this.bids, frame.bids], [this.asks, frame.asks]]) {
      if (pairs) {
        if (whole) side.replace(pairs);
        else side.change(pairs);
        this.versions.book += 1;
      }
    }
    if (frame.depth) {
      this.depth = frame.depth;
      this.versions.depth += 1;
    }
  }

  #takeRuns(frame) {
    const { versions } = this;
    if (frame.trades) this.#takeTrades(frame.trades);
    if (frame.points && frame.points.length) {
      this.points.add(frame.points);
      versions.points += 1;
    }
    if (frame.signals) {
      const last = this.signals.length ? this.signals[this.signals.length - 1][0] : -Infinity;
      const fresh = frame.kind === OVERLAP ? frame.signals.filter(([at]) => at > last) : frame.signals;
      this.signals = [...this.signals, ...fresh].slice(-SIGNALS_KEPT);
      versions.signals += 1;
    }
    if (frame.gaps) {
      this.gaps = frame.gaps;
      versions.signals += 1;
    }
    if (frame.quality) {
      this.quality = frame.quality;
      versions.quality += 1;
    }
  }

  #takeTrades(columns) {
    let taken = 0;
    for (let i = 0; i < columns.count; i++) {
      const number = columns.first + i;
      if (number > this.lastTradeNumber) {
        this.trades.push({
          number, time: columns.times[i], price: columns.prices[i], size: columns.sizes[i],
          side: columns.sides[i], backfill: (columns.flags[i] & 1) === 1,
        });
        this.lastTradeNumber = number;
        taken += 1;
      }
    }
    if (this.trades.length > TRADES_KEPT) this.trades.splice(0, this.trades.length - TRADES_KEPT);
    if (taken) this.versions.trades += 1;
  }
}

function same(a, b) {
  return a === b || (Number.isNaN(a) && Number.isNaN(b));
}
