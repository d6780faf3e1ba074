import assert from 'node:assert/strict';
import { test } from 'node:test';

import { acrossColumns, wordOf } from '../../../app/assets/across.js';
import { consolidate, standing, stepPrice } from '../../../app/assets/consolidate.js';
import { FeedState } from '../../../app/assets/state.js';
import { colorOf, letterOf, venueName } from '../../../app/assets/venues.js';

function feed({ state = 'live', ageS = 0, source = 'mock', bids = [100, 1], asks = [101, 2], staleAfterS = 5 } = {}) {
  const made = new FeedState();
  Object.assign(made, { frames: 1, state, source, lastMs: 1e6 - 1000 * ageS, meta: { stale_after_s: staleAfterS } });
  made.bids.replace(bids);
  made.asks.replace(asks);
  return made;
}

test('a venue that fell silent is out by the bound, without a frame', () => {
  const quiet = feed({ ageS: 0 });
  assert.equal(standing(quiet, true, false, 1e6 + 4999), 'live');
  assert.equal(standing(quiet, true, false, 1e6 + 5000), 'stale');
  assert.equal(standing(feed({ ageS: 9, staleAfterS: 20 }), true, false, 1e6), 'live');
});

test('when nothing can come from the server, no venue counts', () => {
  assert.equal(standing(feed(), true, true, 1e6), 'waiting');
  assert.equal(standing(new FeedState(), true, false, 1e6), 'waiting');
});

test('a recording is judged by its state, for its clock is not ours', () => {
  assert.equal(standing(feed({ source: 'replay', ageS: 1e6 }), true, false, 1e6), 'live');
  assert.equal(standing(feed({ source: 'replay', state: 'stale', ageS: 1e6 }), true, false, 1e6), 'stale');
});

test('who is left out is out, whatever its state', () => {
  for (const state of ['live', 'stale', 'syncing', 'blocked']) assert.equal(standing(feed({ state }), false, false, 1e6), 'off');
});

test('levels of one price stand together, and gaps come the widest first', () => {
  const whole = consolidate([feed(), null, feed({ bids: [102, 3, 100, 4], asks: [103, 1] })]);
  assert.deepEqual(whole.bids.map(({ price, size, shares }) => [price, size, shares]), [[102, 3, [[2, 3]]], [100, 5, [[0, 1], [2, 4]]]]);
  assert.deepEqual(whole.gaps.map(({ buy, sell, quantity }) => [buy, sell, quantity]), [[0, 2, 2]]);
  assert.deepEqual(whole.bestBid, { price: 102, size: 3, venues: [2] });
});

test('a step never makes a price look better', () => {
  const step = { ticks: 5, unit: 100 };
  assert.equal(stepPrice(100.07, step, false), 100.05);
  assert.equal(stepPrice(100.07, step, true), 100.1);
  assert.equal(stepPrice(100.05, step, true), 100.05);
});

test('the legend says why a venue does not count, and nothing while it simply does', () => {
  assert.equal(wordOf('live', feed(), 1e6), '');
  assert.equal(wordOf('live', feed({ state: 'polling' }), 1e6), 'polling');
  assert.equal(wordOf('stale', feed({ ageS: 7 }), 1e6), 'stale 7 s');
  assert.equal(wordOf('waiting', feed({ state: 'live', bids: [], asks: [] }), 1e6), 'no book');
  assert.equal(wordOf('waiting', feed({ state: 'invalid_symbol' }), 1e6), 'invalid symbol');
  assert.equal(wordOf('crossed', feed(), 1e6), 'crossed');
  assert.equal(wordOf('off', feed(), 1e6), 'off');
});

test('columns fit from a phone to a desk', () => {
  for (const width of [300, 360, 460, 1200]) {
    const { price, size, bar, sum } = acrossColumns(width);
    assert.ok(price.x + price.width <= size.x && size.x + size.width < bar.x && bar.width >= 20);
    assert.ok(bar.x + bar.width <= sum.x && sum.x + sum.width <= width);
  }
});

test('six venues differ in letter and in colour, in both themes', () => {
  for (const dark of [true, false]) {
    assert.equal(new Set([0, 1, 2, 3, 4, 5].map((i) => colorOf(i, { dark }))).size, 6);
  }
  assert.equal(new Set([0, 1, 2, 3, 4, 5].map(letterOf)).size, 6);
});

test('a venue of a recording is called by its own name', () => {
  assert.equal(venueName('replay:20240808-120509-3f2a9c/ccxt:bybit'), 'ccxt:bybit');
  assert.equal(venueName('replay:monday.jsonl.gz'), 'replay:monday.jsonl.gz');
  assert.equal(venueName('mock:alpha'), 'mock:alpha');
});
