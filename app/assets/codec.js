// The binary frame, read. The layout is described in app/live/frames.py. Pure: no DOM, no clock.

import { FLOW_READERS } from './flow_codec.js';

export const HEADER_BYTES = 88;
export const [HEARTBEAT, DELTA, SNAPSHOT, OVERLAP] = [0, 1, 2, 3];
export const STATES = [
  'connecting', 'syncing', 'live', 'stale', 'polling', 'reconnecting', 'blocked', 'invalid_symbol', 'failed', 'stopped',
];
export const SOURCES = ['stream', 'poll', 'replay', 'mock', 'synthetic'];
export const QUALITY_FIELDS = [
  'ratePerS', 'gaps', 'resyncs', 'duplicates', 'outOfOrder', 'crossed', 'decodeErrors', 'dropped', 'reconnects',
  'trades', 'exchangeP50', 'exchangeP95', 'exchangeP99', 'drainedP50', 'drainedP95', 'drainedP99', 'clockSkew',
  'clockSkewMeasured',
];

const VERSION = 1;
const SECTION_BYTES = 8;
const text = new TextDecoder();

/** All frames of one message. Throws RangeError or Error on what is not ours. */
export function decode(bytes) {
  const view = bytes instanceof ArrayBuffer
    ? new DataView(bytes)
    : new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const frames = [];
  let at = 0;
  while (at < view.byteLength) {
    const frame = readHeader(view, at);
    readSections(view, at + HEADER_BYTES, at + frame.length, frame);
    frames.push(frame);
    at += frame.length;
  }
  return frames;
}

function readHeader(view, at) {
  if (view.getUint8(at) !== VERSION) throw new Error(`frame version ${view.getUint8(at)}, expected ${VERSION}`);
  const length = view.getUint32(at + 8, true);
  if (length < HEADER_BYTES || at + length > view.byteLength) throw new RangeError(`frame of ${length} bytes`);
  const f64 = (index) => view.getFloat64(at + 16 + 8 * index, true);
  return {
    kind: view.getUint8(at + 1),
    feed: view.getUint16(at + 2, true),
    seq: view.getUint32(at + 4, true),
    length,
    state: STATES[view.getUint8(at + 12)],
    source: SOURCES[view.getUint8(at + 13)],
    priceDecimals: view.getUint8(at + 14),
    sizeDecimals: view.getUint8(at + 15),
    serverMs: f64(0), lastMs: f64(1), oldestMs: f64(2), newestMs: f64(3), updates: f64(4),
    bid: f64(5), bidSize: f64(6), ask: f64(7), askSize: f64(8),
  };
}

function readSections(view, start, end, frame) {
  let at = start;
  while (at < end) {
    const tag = view.getUint8(at);
    const count = view.getUint16(at + 2, true);
    const bytes = view.getUint32(at + 4, true);
    at += SECTION_BYTES;
    if (at + bytes > end) throw new RangeError(`section ${tag} of ${bytes} bytes`);
    const read = READERS[tag];
    if (read) read(frame, view, at, count, bytes);
    at += bytes;
  }
}

function doubles(view, at, n) {
  const values = new Float64Array(n);
  for (let i = 0; i < n; i++) values[i] = view.getFloat64(at + 8 * i, true);
  return values;
}

function json(view, at, bytes) {
  return JSON.parse(text.decode(new Uint8Array(view.buffer, view.byteOffset + at, bytes)));
}

function readTrades(frame, view, at, count) {
  const columns = at + 8;
  const trades = { first: view.getFloat64(at, true), count };
  trades.times = doubles(view, columns, count);
  trades.prices = doubles(view, columns + 8 * count, count);
  trades.sizes = doubles(view, columns + 16 * count, count);
  trades.sides = new Int8Array(count);
  trades.flags = new Uint8Array(count);
  for (let i = 0; i < count; i++) {
    trades.sides[i] = view.getInt8(columns + 24 * count + i);
    trades.flags[i] = view.getUint8(columns + 25 * count + i);
  }
  frame.trades = trades;
}

const READERS = {
  ...FLOW_READERS,
  1: (frame, view, at, count, bytes) => { frame.meta = json(view, at, bytes); },
  2: (frame, view, at, count) => { frame.bids = doubles(view, at, 2 * count); },
  3: (frame, view, at, count) => { frame.asks = doubles(view, at, 2 * count); },
  4: (frame, view, at, count, bytes) => {
    frame.depth = { bids: doubles(view, at, 2 * count), asks: doubles(view, at + 16 * count, bytes / 8 - 2 * count) };
  },
  5: readTrades,
  6: (frame, view, at, count) => { frame.points = doubles(view, at, 3 * count); },
  7: (frame, view, at, count, bytes) => { frame.signals = json(view, at, bytes); },
  8: (frame, view, at, count) => { frame.gaps = doubles(view, at, 2 * count); },
  9: (frame, view, at, count) => {
    frame.quality = {};
    for (let i = 0; i < count && i < QUALITY_FIELDS.length; i++) {
      frame.quality[QUALITY_FIELDS[i]] = view.getFloat64(at + 8 * i, true);
    }
  },
};
