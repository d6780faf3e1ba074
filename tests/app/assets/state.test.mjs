import assert from 'node:assert/strict';
import { test } from 'node:test';

import { HEARTBEAT } from '../../../app/assets/codec.js';
import { COARSE_POINTS, FeedState, FINE_POINTS, Points, Side } from '../../../app/assets/state.js';

test('a side keeps best first, and size 0 removes', () => {
  const bids = new Side(true);
  bids.replace([99, 1, 100, 2, 98, 3]);
  bids.change([99, 0, 101, 4]);
  assert.deepEqual(bids.prices, [101, 100, 98]);
  assert.deepEqual(bids.sizes, [4, 2, 3]);
  const asks = new Side(false);
  asks.replace([102, 1, 101.5, 2]);
  assert.deepEqual(asks.prices, [101.5, 102]);
});

test('points are bounded, in order and thinned to one a second when old', () => {
  const points = new Points();
  for (let i = 0; i < 200_000; i++) points.add([i * 50, 1, 2]);
  assert.ok(points.fine.t.length <= FINE_POINTS * 1.1 + 1);
  assert.ok(points.coarse.t.length <= COARSE_POINTS);
  for (let i = 1; i < points.coarse.t.length; i++) assert.ok(points.coarse.t[i] - points.coarse.t[i - 1] >= 1000);
  assert.ok(points.coarse.t.at(-1) < points.fine.t[0]);
  points.add([0, 1, 2]);
  assert.equal(points.lastMs, 199_999 * 50);
});

test('any span can be had in few points, with the newest among them', () => {
  const points = new Points();
  for (let i = 0; i < 20_000; i++) points.add([i * 50, i, i + 1]);
  const minute = points.since(points.lastMs - 60_000, 1200);
  assert.ok(minute.t[0] >= points.lastMs - 60_000);
  assert.ok(minute.t.length <= 1202);
  const all = points.since(-Infinity, 300);
  assert.ok(all.t.length <= 602);
  assert.equal(all.t.at(-1), points.lastMs);
  assert.deepEqual(all.t, [...all.t].sort((a, b) => a - b));
  assert.deepEqual(new Points().since(-Infinity, 10).t, []);
});

test('the age counts on by this clock when nothing comes, without the offset between the clocks', () => {
  const feed = new FeedState();
  feed.seq = 4;
  const beat = (serverMs, lastMs) => ({
    kind: HEARTBEAT, seq: 4, state: 'live', source: 'stream', priceDecimals: 2, sizeDecimals: 2, serverMs, lastMs,
    newestMs: NaN, oldestMs: NaN, updates: 9, bid: 1, bidSize: 1, ask: 2, askSize: 1,
  });
  assert.ok(Number.isNaN(feed.ageS(0)));
  feed.apply(beat(1_000_000, 999_000), 5_000_020);
  feed.apply(beat(1_000_500, 999_000), 5_000_510);
  assert.equal(feed.offsetMs, 4_000_010);
  assert.equal(feed.ageS(5_007_010), 8);
});

test('a heartbeat that names an unknown frame asks for a snapshot', () => {
  const feed = new FeedState();
  assert.equal(feed.apply({ kind: HEARTBEAT, seq: 3 }, 0), false);
});
