// What panels of order flow share: the market's feed, the order flow beside it, axes and marks.

import * as format from './format.js';
import { CanvasPanel } from './panel.js';
import { alpha } from './theme.js';

export const AXIS = 74;
export const FOOT = 18;
const REPLAY_MS = 10_000;
const SHORT_GAP_MS = 2000;
const LEAST_SPAN_MS = 30_000;
export const MARKS = { exact: '', estimated: '≈', partial: '◐' };

/** A panel with two feeds: `feed` is the market, `flow` its order flow. */
export class FlowPanel extends CanvasPanel {
  update(data) {
    super.update(data);
    if (data.flow) this.keys = [data.feed, data.flow];
  }

  get flow() {
    return this.keys.length > 1 ? this.hub.feed(this.keys[1]).flow : null;
  }

  /** Over a market that is well, that its analysis is not. */
  overlay(nowMs) {
    const reason = this.flow?.standing.failed;
    return super.overlay(nowMs) ?? (reason ? { word: 'ANALYSIS FAILED', reason, dim: true } : null);
  }

  /** Parts of the order flow that the picture shows. */
  get flowParts() {
    return [];
  }

  get symbol() {
    return this.keys[0]?.[1] ?? '';
  }

  /** Now by the market's clock. */
  marketMs(nowMs) {
    return marketTime(this.feed, this.flow, nowMs);
  }

  stamp() {
    const { flow } = this;
    return super.stamp() + (flow ? this.flowParts.reduce((sum, part) => sum + flow.versions[part], 0) : 0);
  }

  decimals() {
    return this.feed?.priceDecimals ?? 2;
  }

  /** Marks of time along the foot; `place` turns ms into x. */
  drawTimes(context, from, to, place, y, width) {
    const step = timeStep((to - from) / Math.max(2, width / 110));
    context.textBaseline = 'middle';
    const zone = new Date().getTimezoneOffset() * 60_000;
    for (let t = Math.ceil((from - zone) / step) * step + zone; t <= to; t += step) {
      const x = place(t);
      if (x < 24 || x > width - 24) continue;
      write(context, clock(t), x, y + FOOT / 2 + 1, 'center', this.theme.muted, this.font(10));
    }
  }

  /** Marks of price along the right edge; `place` turns a price into y. */
  drawPrices(context, low, high, place, x, height) {
    const decimals = this.decimals();
    for (const mark of format.ticks(low, high, Math.max(2, height / 42))) {
      const y = place(mark);
      if (y < 8 || y > height - 8) continue;
      context.fillStyle = this.theme.grid;
      context.fillRect(0, Math.round(y), x, 1);
      write(context, format.price(mark, decimals), x + 6, y, 'left', this.theme.muted, this.font(10));
    }
  }

  /** The stretches of time, [begin, end] each, in which there was no data. */
  gapsIn(from, to) {
    return unseen(this.feed?.gaps ?? [], this.flow?.seconds ?? [], from, to);
  }

  /** The time in which there was no data. */
  drawGaps(context, from, to, place, top, height) {
    const gaps = this.gapsIn(from, to);
    for (const [begin, end] of gaps) {
      context.fillStyle = alpha(this.theme.warn, 0.16);
      context.fillRect(place(begin), top, Math.max(1, place(end) - place(begin)), height);
    }
    this.root.dataset.gaps = String(gaps.length);
  }

  nothing(context, width, height, words) {
    context.textBaseline = 'middle';
    write(context, words, width / 2, height / 2, 'center', this.theme.faint, `12px ${this.theme.sans}`);
  }

  /** A price in a box on the axis. */
  tag(context, words, x, y, color) {
    context.fillStyle = color;
    context.fillRect(x, y - 8, AXIS, 16);
    write(context, words, x + 6, y + 0.5, 'left', this.theme.background, this.font(10, 700));
  }
}

/** Now by the clock that the market is stamped with: the server's, or that of a recording. */
export function marketTime(feed, flow, nowMs) {
  const server = nowMs - (feed?.offsetMs ?? 0);
  return !Number.isFinite(flow?.atMs) || Math.abs(server - flow.atMs) < REPLAY_MS ? server : flow.atMs;
}

/**
 * What of the gaps of a feed (begin, end, begin, …; end NaN while open) lies in a window and was seen by nobody: the
 * analysis goes on for a while when no page looks, and then knows seconds that the page's own feed does not.
 */
export function unseen(gaps, seconds, from, to) {
  const found = [];
  for (let i = 0; i < gaps.length; i += 2) {
    const closed = Number.isFinite(gaps[i + 1]);
    const [begin, end] = [Math.max(gaps[i], from), Math.min(closed ? gaps[i + 1] : to, to)];
    if (end < begin) continue;
    let open = begin;
    if (closed && gaps[i + 1] - gaps[i] >= SHORT_GAP_MS) {
      for (const { t, mid } of seconds) {
        if (t - 1000 >= end) break;
        if (t <= open || !Number.isFinite(mid)) continue;
        if (t - 1000 > open) found.push([open, t - 1000]);
        open = t;
      }
    }
    if (open < end || begin === end) found.push([open, end]);
  }
  return found;
}

/** Whether one of the gaps of a feed lies between two moments; where it begins, or NaN. */
export function gapBetween(gaps, earlier, later) {
  for (let i = gaps.length - 2; i >= 0; i -= 2) {
    if (gaps[i] < later && !(gaps[i + 1] <= earlier)) return Math.max(gaps[i], earlier);
    if (gaps[i + 1] <= earlier) break;
  }
  return NaN;
}

/** How much of a window is shown while it fills: a quarter or a half of it until more is known, at least half a minute. */
export function filledSpan(span, known) {
  for (const part of [span / 4, span / 2]) if (part >= LEAST_SPAN_MS && known <= part) return part;
  return span;
}

/** A round length of time, at least so long. */
export function timeStep(ms) {
  const steps = [1000, 2000, 5000, 10_000, 15_000, 30_000, 60_000, 120_000, 300_000, 600_000, 1_800_000, 3_600_000];
  return steps.find((step) => step >= ms) ?? steps.at(-1);
}

/** The time on the wall, to the second. */
export function clock(ms) {
  return format.time(ms).slice(0, 8);
}

export function write(context, text, x, y, align, color, font) {
  context.font = font;
  context.textAlign = align;
  context.fillStyle = color;
  context.fillText(text, x, y);
}

/** The value below which this share of the list lies; NaN for an empty one. */
export function quantile(values, share) {
  if (!values.length) return NaN;
  const sorted = Float64Array.from(values).sort();
  return sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))];
}
