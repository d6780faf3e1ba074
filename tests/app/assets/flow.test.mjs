import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';

import { decode } from '../../../app/assets/codec.js';
import { joined, signed } from '../../../app/assets/delta.js';
import { domColumns } from '../../../app/assets/dom.js';
import { sizeOf } from '../../../app/assets/flow_codec.js';
import { filledSpan, gapBetween, marketTime, quantile, timeStep, unseen } from '../../../app/assets/flow_panel.js';
import { FlowState, SECONDS_KEPT } from '../../../app/assets/flow_state.js';
import { candles, joinedCells } from '../../../app/assets/footprint.js';
import { worded } from '../../../app/assets/gauges.js';
import { worthShowing } from '../../../app/assets/happenings.js';
import { colourRange, merged, pixel } from '../../../app/assets/heatmap.js';
import { FeedState } from '../../../app/assets/state.js';

const frames = JSON.parse(readFileSync(process.env.FRAMES, 'utf8'));
const bytes = (text) => Uint8Array.from(Buffer.from(text, 'base64'));

test('what the server wrote of order flow is read back', () => {
  const feed = new FeedState();
  for (const text of [frames.flow.first, ...frames.flow.next]) {
    for (const frame of decode(bytes(text))) assert.equal(feed.apply(frame, frame.serverMs), true);
  }
  const { flow } = feed;
  const { expected } = frames.flow;
  assert.equal(flow.tick, expected.tick);
  assert.equal(flow.seconds.length, expected.seconds);
  assert.equal(flow.heat.columns.length, expected.columns);
  assert.equal(flow.bubbles.length, expected.bubbles);
  assert.ok(Math.abs(flow.figure('spread_bps').value - expected.spread) < 1e-12);
  assert.ok(Number.isNaN(flow.figure('ofi_z').value));
  assert.equal(flow.figure('pull_rate_bid').quality, 'estimated');
  assert.match(flow.explained.get('cvd').about, /bought/);
  assert.equal(flow.bars.at(-1).close, null);
  assert.deepEqual(flow.profile.area, expected.area);
  const levels = expected.levels.map(([price]) => price);
  assert.deepEqual([...flow.levels.keys()], levels);
});

test('a snapshot begins anew and the same seconds are never taken twice', () => {
  const state = new FlowState();
  const second = (t) => [t, 1, 2, 0.5, 1.5, 3, 1, 0, 2, 1.2];
  state.take({ seconds: Float64Array.from([...second(1000), ...second(2000)]) }, true);
  state.take({ seconds: Float64Array.from([...second(2000), ...second(3000)]) }, false);
  assert.deepEqual(state.seconds.map(({ t }) => t), [1000, 2000, 3000]);
  state.take({ seconds: Float64Array.from(second(9000)) }, true);
  assert.equal(state.seconds.length, 1);
  for (let t = 10; t < 10 + SECONDS_KEPT + 5; t++) state.take({ seconds: Float64Array.from(second(t * 1000)) }, false);
  assert.equal(state.seconds.length, SECONDS_KEPT);
});

test('the open bar is replaced, closed bars stay', () => {
  const state = new FlowState();
  state.take({ prints: { bin: 1, bars: [[null, 1, 1, 0, [], []]] } }, false);
  state.take({ prints: { bin: 1, bars: [[60, 2, 2, 0, [], []], [null, 0, 0, 0, [], []]] } }, false);
  state.take({ prints: { bin: 1, bars: [[60, 2, 2, 0, [], []], [null, 5, 5, 0, [], []]] } }, false);
  assert.deepEqual(state.bars.map(({ close, delta }) => [close, delta]), [[60, 2], [null, 5]]);
});

test('sizes of the heatmap: nothing, unknown, and much', () => {
  assert.equal(sizeOf(1), 0);
  assert.ok(Number.isNaN(sizeOf(0)));
  assert.ok(Math.abs(sizeOf(2 + 512 * 40) - 1) < 1e-12);
});

test('colours grow with the size and differ in lightness alone', () => {
  const ramp = [[0, 0, 0], [255, 255, 255]];
  assert.equal(pixel(ramp, 0), 0xff000000);
  assert.equal(pixel(ramp, 1), 0xffffffff);
  const [low, high] = colourRange([{ codes: Uint16Array.from([0, 1, 20_000, 21_000, 22_000, 30_000]) }]);
  assert.ok(low > 1 && low <= 22_000 && high >= 30_000 - 32);
  assert.deepEqual(colourRange([]), [0, 65_535]);
});

test('bubbles of one side that would hide each other are joined at their mean price', () => {
  const found = merged([
    { t: 100, price: 10, size: 1, side: 1 }, { t: 600, price: 13, size: 2, side: 1 }, { t: 600, price: 9, size: 5, side: -1 },
    { t: 5000, price: 1, size: 1, side: 1 },
  ], 0, 4000, 1000);
  assert.deepEqual(found, [{ t: 500, price: 9, size: 5, side: -1 }, { t: 500, price: 12, size: 3, side: 1 }]);
});

test('seconds become candles and bars, and a second without a trade makes no candle', () => {
  const quiet = { open: NaN, high: NaN, low: NaN, close: NaN, buy: 0, sell: 0, unsigned: 0, cvd: 1, mid: 10 };
  const lively = { open: 10, high: 12, low: 9, close: 11, buy: 2, sell: 1, unsigned: 0.5, cvd: 1, mid: 10.5 };
  const seconds = [{ t: 1000, ...lively }, { t: 2000, ...quiet }, { t: 5000, ...lively, high: 13, close: 10 }, { t: 6000, ...quiet }];
  const [candle, ...rest] = candles(seconds, 5000);
  assert.deepEqual(rest, []);
  assert.deepEqual([candle.open, candle.high, candle.low, candle.close, candle.delta], [10, 13, 9, 10, 2]);
  assert.deepEqual(joined(seconds, 5000).map(({ t, delta, volume }) => [t, delta, volume]), [[5000, 2, 7], [10_000, 0, 0]]);
});

test('figures are worded by their unit, and unknown is a dash', () => {
  assert.equal(worded(NaN, 'bps', 2), '–');
  assert.equal(worded(0.123, '', 2), '+0.12');
  assert.equal(worded(-0.4, '', 2), '-0.40');
  assert.equal(worded(0.5, '%', 2), '50 %');
  assert.equal(worded(100.12345, 'price', 2), '100.123');
  assert.equal(signed(NaN), '–');
  assert.equal(signed(-1.5), '−1.500');
});

test('small sweeps are no news', () => {
  assert.equal(worthShowing({ kind: 'sweep', evidence: { alert: 0 } }), false);
  assert.equal(worthShowing({ kind: 'sweep', evidence: { alert: 1 } }), true);
  assert.equal(worthShowing({ kind: 'wall', evidence: {} }), true);
});

test('columns of the ladder never overlap, from a phone to a desk', () => {
  for (const width of [300, 360, 420, 700]) {
    const { churn, price, size, traded } = domColumns(width);
    assert.ok(churn.x + churn.width <= price.x && price.x + price.width <= size.x && size.x + size.width <= traded.x);
    assert.ok(traded.x + traded.width <= width && traded.width > 40);
  }
});

test('marks of time are round, and a quantile of nothing is unknown', () => {
  assert.equal(timeStep(11_000), 15_000);
  assert.equal(timeStep(1e9), 3_600_000);
  assert.ok(Number.isNaN(quantile([], 0.5)));
  assert.equal(quantile([3, 1, 2], 0.5), 2);
});

test('bins too small for their numbers are joined, and lose their marks', () => {
  assert.deepEqual(joinedCells([[4, 1, 2, 1], [5, 3, 4, 0], [6, 5, 6, -1]], 2), [[2, 4, 6, 0], [3, 5, 6, 0]]);
  assert.deepEqual(joinedCells([[4, 1, 2, 1]], 1), [[4, 1, 2, 1]]);
});

test('a recording has its own time, a live market the clock on the wall', () => {
  assert.equal(marketTime({ offsetMs: 10 }, { atMs: 99_000 }, 100_010), 100_000);
  assert.equal(marketTime({ offsetMs: 10 }, { atMs: 5 }, 100_010), 5);
  assert.equal(marketTime(null, null, 7), 7);
});

test('a gap of the page is no gap where the analysis went on, and one that is open or short stays whole', () => {
  const seconds = [1, 2, 3, 4, 9, 10].map((s) => ({ t: s * 1000, mid: s === 4 ? NaN : 100 }));
  assert.deepEqual(unseen([500, 8500], seconds, 0, 20_000), [[3000, 8000]]);
  assert.deepEqual(unseen([1200, 1300], seconds, 0, 20_000), [[1200, 1300]]);
  assert.deepEqual(unseen([9500, NaN], seconds, 0, 20_000), [[9500, 20_000]]);
  assert.deepEqual(unseen([500, 8500], seconds, 5000, 6000), [[5000, 6000]]);
  assert.deepEqual(unseen([500, 8500], seconds, 9000, 20_000), []);
  assert.deepEqual(unseen([0, 5000], [], 0, 20_000), [[0, 5000]]);
});

test('a line ends where a gap begins', () => {
  const gaps = [1000, 2000, 5000, NaN];
  assert.equal(gapBetween(gaps, 900, 2100), 1000);
  assert.ok(Number.isNaN(gapBetween(gaps, 2000, 3000)));
  assert.ok(Number.isNaN(gapBetween(gaps, 200, 900)));
  assert.equal(gapBetween(gaps, 4900, 6000), 5000);
  assert.equal(gapBetween(gaps, 5500, 6000), 5500);
  assert.ok(Number.isNaN(gapBetween([], 0, 1)));
});

test('a window that has just begun is shown in part, never less than half a minute of it', () => {
  assert.deepEqual([0, 29_000, 31_000, 61_000].map((known) => filledSpan(120_000, known)), [30_000, 30_000, 60_000, 120_000]);
  assert.equal(filledSpan(60_000, 0), 30_000);
  assert.equal(filledSpan(600_000, 700_000), 600_000);
});
