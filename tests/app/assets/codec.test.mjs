import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';

import { decode, DELTA, HEADER_BYTES, OVERLAP, SNAPSHOT } from '../../../app/assets/codec.js';
import { FeedState } from '../../../app/assets/state.js';

const written = JSON.parse(readFileSync(process.env.FRAMES));
const bytes = (text) => new Uint8Array(Buffer.from(text, 'base64'));
const NOW = written.nowMs;

function screen() {
  const feed = new FeedState();
  for (const frame of decode(bytes(written.snapshot))) assert.ok(feed.apply(frame, NOW));
  return feed;
}

test('what the encoder wrote is read as it was meant', () => {
  const [frame] = decode(bytes(written.snapshot));
  assert.equal(frame.kind, SNAPSHOT);
  assert.equal(frame.feed, 7);
  assert.equal(frame.state, 'live');
  assert.equal(frame.source, 'mock');
  assert.equal(frame.priceDecimals, 2);
  assert.deepEqual(frame.meta.key, ['mock', 'BTCUSDT', 'stream']);
  assert.equal(frame.trades.first, 1);
  assert.equal(frame.trades.count, 10);
  assert.equal(frame.bids.length, 100);
  assert.equal(frame.depth.bids.length, 400);
  assert.ok(frame.ask > frame.bid);
  assert.equal(frame.quality.gaps, 0);
});

test('a snapshot and the deltas after it give the book of the feed', () => {
  const feed = screen();
  for (const delta of written.deltas) for (const frame of decode(bytes(delta))) {
    assert.equal(frame.kind, DELTA);
    assert.ok(feed.apply(frame, NOW));
  }
  assert.deepEqual(feed.bids.prices.map((price, i) => [price, feed.bids.sizes[i]]), written.bids);
  assert.equal(feed.asks.prices.length, 50);
  assert.deepEqual(feed.trades.map((trade) => trade.number), Array.from({ length: 30 }, (_, i) => i + 1));
  assert.equal(feed.signals.length, 1);
  assert.equal(feed.signals[0][1], 'buy');
});

test('many frames in one message are all read, wherever the bytes lie in their buffer', () => {
  const parts = [written.snapshot, ...written.deltas.slice(0, 3)].map(bytes);
  const whole = new Uint8Array(3 + parts.reduce((sum, part) => sum + part.length, 0));
  let at = 3;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  assert.equal(decode(whole.subarray(3)).length, 4);
});

test('a missing frame is noticed, and nothing is taken until a snapshot comes', () => {
  const feed = screen();
  const [second] = decode(bytes(written.deltas[1]));
  assert.equal(feed.apply(second, NOW), false);
  const [third] = decode(bytes(written.deltas[2]));
  assert.equal(feed.apply(third, NOW), false);
  for (const frame of decode(bytes(written.snapshot))) assert.ok(feed.apply(frame, NOW));
  const [first] = decode(bytes(written.deltas[0]));
  assert.ok(feed.apply(first, NOW));
});

test('a frame that was seen already changes nothing', () => {
  const feed = screen();
  const [first] = decode(bytes(written.deltas[0]));
  feed.apply(first, NOW);
  const trades = feed.trades.length;
  assert.ok(feed.apply(first, NOW));
  assert.equal(feed.trades.length, trades);
});

test('a lost book keeps its picture and loses its quote', () => {
  const feed = screen();
  for (const delta of written.deltas) for (const frame of decode(bytes(delta))) feed.apply(frame, NOW);
  for (const frame of decode(bytes(written.lost))) feed.apply(frame, NOW);
  assert.equal(feed.state, 'reconnecting');
  assert.ok(Number.isNaN(feed.mid));
  assert.equal(feed.bids.prices.length, 50);
  assert.equal(feed.gaps.length, 2);
});

test('an overlap is taken at any time and repeats nothing', () => {
  const feed = screen();
  const [overlap] = decode(bytes(written.overlap));
  assert.equal(overlap.kind, OVERLAP);
  for (let i = 0; i < 2; i++) assert.ok(feed.apply(overlap, NOW));
  assert.equal(feed.trades.length, 30);
  assert.equal(feed.signals.length, 1);
  assert.equal(new Set(feed.points.fine.t).size, feed.points.fine.t.length);
  assert.ok(new FeedState().apply(overlap, NOW));
});

test('damaged bytes are refused and not guessed at', () => {
  const good = bytes(written.snapshot);
  assert.throws(() => decode(good.slice(0, good.length - 1)));
  assert.throws(() => decode(good.slice(0, HEADER_BYTES - 4)));
  const other = good.slice();
  other[0] = 9;
  assert.throws(() => decode(other), /version 9/);
});
