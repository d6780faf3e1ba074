import assert from 'node:assert/strict';
import { test } from 'node:test';

import { reach, totalAt } from '../../../app/assets/depth.js';
import * as format from '../../../app/assets/format.js';
import { columnsOf } from '../../../app/assets/ladder.js';
import { barScale, layoutRows, rowAt, totals } from '../../../app/assets/ladder_view.js';
import { overlayOf } from '../../../app/assets/panel.js';
import { columns, gapShapes, wallClock, yRange } from '../../../app/assets/price.js';
import { lowLine } from '../../../app/assets/quotes.js';
import { FeedState } from '../../../app/assets/state.js';
import { largeFrom, visible } from '../../../app/assets/tape.js';
import { alpha, mix } from '../../../app/assets/theme.js';

test('numbers are written with exact decimals, and unknown is a dash', () => {
  assert.equal(format.price(64250.1, 2), '64,250.10');
  assert.equal(format.price(NaN, 2), '–');
  assert.equal(format.price(0.00001234, 8), '0.00001234');
  assert.equal(format.size(1_234_567.8), '1.23M');
  assert.equal(format.size(0.5, 3), '0.500');
  assert.equal(format.size(NaN), '–');
  assert.equal(format.bps(0.023), '0.02 bps');
  assert.equal(format.bps(0.0016), '0.0016 bps');
  assert.equal(format.bps(0), '0.00 bps');
  assert.equal(format.bps(-0.0057), '-0.0057 bps');
  assert.equal(format.resting(0.00012, 3), '<0.001');
  assert.equal(format.resting(0.0007, 3), '0.001');
  assert.equal(format.resting(0, 3), '0.000');
  assert.equal(format.resting(0.4, 0), '<1');
  assert.equal(format.bps(NaN), '–');
  assert.equal(format.age(7.9), '7 s');
  assert.equal(format.age(0.2), '<1 s');
  assert.equal(format.age(300), '5 min');
  assert.equal(format.age(NaN), '–');
  assert.match(format.time(1_700_000_000_123), /^\d\d:\d\d:\d\d\.123$/);
});

test('marks are round and lie in their range', () => {
  assert.equal(format.roundUp(0.3), 0.5);
  assert.equal(format.roundUp(1), 1);
  assert.equal(format.roundUp(2100), 2500);
  const marks = format.ticks(99.3, 101.2, 4);
  assert.ok(marks.length >= 2 && marks.every((mark) => mark >= 99.3 && mark <= 101.2));
  assert.equal(format.stepDecimals(250), 0);
  assert.equal(format.stepDecimals(2.5), 1);
  assert.equal(format.stepDecimals(0.05), 2);
});

test('the ladder shows twenty levels a side where there is room, and fewer but legible rows where there is not', () => {
  assert.equal(layoutRows(20 + 30 + 40 * 16).perSide, 20);
  assert.equal(layoutRows(20 + 30 + 40 * 16).row, 16);
  assert.equal(layoutRows(200).row, 14);
  assert.ok(layoutRows(200).perSide < 20);
  assert.ok(layoutRows(10).perSide >= 1);
});

test('a height on the ladder is one level, and none in the middle', () => {
  assert.deepEqual(rowAt(99, 100, 15), { isBid: false, index: 0 });
  assert.equal(rowAt(110, 100, 15), null);
  assert.deepEqual(rowAt(130, 100, 15), { isBid: true, index: 0 });
});

test('a single wall does not flatten all other bars', () => {
  assert.equal(barScale([1, 1, 1, 1, 100]), 6);
  assert.equal(barScale([1, 2, 3]), 3);
  assert.equal(barScale([]), 1);
  assert.deepEqual(totals([1, 2, 3]), [1, 3, 6]);
});

test('columns never overlap, from a phone to a desk', () => {
  for (const width of [300, 360, 400, 700]) {
    const c = columnsOf(width);
    assert.ok(c.bidSum.x + c.bidSum.width <= c.bid.x + 1e-9);
    assert.ok(c.bid.x + c.bid.width <= c.price.x + 1e-9);
    assert.ok(c.price.x + c.price.width <= c.ask.x + 1e-9);
    assert.ok(c.ask.x + c.ask.width <= c.askSum.x + 1e-9);
  }
});

test('depth up to a price counts every level that is reached', () => {
  const bids = [100, 1, 99, 3, 98, 7];
  assert.equal(totalAt(bids, 100.5, true), 0);
  assert.equal(totalAt(bids, 99, true), 3);
  assert.equal(totalAt(bids, 90, true), 7);
  assert.equal(totalAt([101, 2, 103, 5], 102, false), 2);
  assert.ok(Math.abs(reach({ bids, asks: [102, 1, 110, 2] }, 101) - 3 / 101) < 1e-12);
});

test('trades are filtered by size, newest first, and held where the reader stopped', () => {
  const trades = Array.from({ length: 30 }, (_, i) => ({ number: i + 1, size: i % 3 }));
  assert.equal(visible(trades, 0)[0].number, 30);
  assert.ok(visible(trades, 2).every((trade) => trade.size >= 2));
  assert.equal(visible(trades, 0, 10).length, 10);
});

test('large is what at most one in twenty reaches, once there are enough trades to tell', () => {
  assert.equal(largeFrom([{ size: 5 }]), Infinity);
  const trades = Array.from({ length: 100 }, (_, i) => ({ size: i + 1 }));
  assert.equal(largeFrom(trades), 96);
});

test('a picture that is not live says so over itself', () => {
  const feed = new FeedState();
  assert.equal(overlayOf(feed, false, 0).word, 'CONNECTING');
  feed.frames = 1;
  feed.state = 'live';
  assert.equal(overlayOf(feed, false, 0), null);
  assert.equal(overlayOf(feed, true, 0).word, 'RECONNECTING');
  feed.state = 'stale';
  feed.lastMs = 1000;
  assert.deepEqual(overlayOf(feed, false, 8500), { word: 'STALE 7 s', reason: '', dim: true });
  feed.state = 'polling';
  assert.equal(overlayOf(feed, false, 0).dim, false);
  feed.state = 'syncing';
  feed.meta = { reason: 'gap: expected update 5, received 9' };
  assert.deepEqual(overlayOf(feed, false, 0), { word: 'SYNCING', reason: feed.meta.reason, dim: true });
  feed.state = 'invalid_symbol';
  assert.equal(overlayOf(feed, false, 0).word, 'UNKNOWN SYMBOL');
});

test('gaps are shaded from their start to their end, or to now while they last', () => {
  const [closed, open] = gapShapes([0, 1000, 5000, NaN], 9000, 'red');
  assert.equal(closed.x1, wallClock(1000));
  assert.equal(open.x1, wallClock(9000));
});

test('the chart shows the mid between bid and ask and leaves air around them', () => {
  const data = columns({ t: [0, 1000], bid: [10, 11], ask: [12, 13] });
  assert.deepEqual(data.mid, [11, 12]);
  const [low, high] = yRange(data);
  assert.ok(low < 10 && high > 13);
  assert.equal(yRange(columns({ t: [], bid: [], ask: [] })), undefined);
});

test('rate and latency are one line, and unknown until measured', () => {
  const feed = new FeedState();
  assert.equal(lowLine(feed), '–');
  feed.quality = { ratePerS: 98, exchangeP50: NaN };
  assert.match(lowLine(feed), /98.0\/s · latency –/);
  feed.quality = { ratePerS: 98, exchangeP50: 12.3, exchangeP95: 40, exchangeP99: 61.2 };
  assert.match(lowLine(feed), /latency 12 \/ 40 \/ 61 ms/);
});

test('colours can be mixed whatever way they are written', () => {
  assert.equal(alpha('#fff', 0.5), 'rgba(255,255,255,0.5)');
  assert.equal(mix('#000000', 'rgb(255, 255, 255)', 0.5), 'rgb(128,128,128)');
});

test('a mid between two ticks is shown exactly', () => {
  assert.equal(format.mid(64261.75, 1), '64,261.75');
  assert.equal(format.mid(64261.5, 1), '64,261.5');
  assert.equal(format.mid(NaN, 1), '–');
});

test('a page that never had data is connecting, one that had is reconnecting', () => {
  const feed = new FeedState();
  assert.equal(overlayOf(feed, true, 0).word, 'CONNECTING');
  feed.frames = 1;
  assert.equal(overlayOf(feed, true, 0).word, 'RECONNECTING');
});
