// Cumulative volume delta with the price above it and each second's delta below it.

import { AXIS, FOOT, FlowPanel, clock, filledSpan, MARKS, write } from './flow_panel.js';
import * as format from './format.js';
import { make } from './panel.js';
import { alpha } from './theme.js';

const EVERY_MS = 100;
const WINDOWS = { '2m': [120_000, 1000], '10m': [600_000, 5000], '30m': [1_800_000, 15_000] };

/** Seconds joined to bars of `width` ms: delta and volume summed, CVD and mid as they stood at the end. */
export function joined(seconds, width) {
  const bars = [];
  for (const second of seconds) {
    const end = Math.ceil(second.t / width) * width;
    let bar = bars.at(-1);
    if (!bar || bar.t !== end) bars.push(bar = { t: end, delta: 0, volume: 0, cvd: NaN, mid: NaN });
    bar.delta += second.buy - second.sell;
    bar.volume += second.buy + second.sell + second.unsigned;
    bar.cvd = second.cvd;
    bar.mid = second.mid;
  }
  return bars;
}

export class DeltaPanel extends FlowPanel {
  constructor(hub, parent) {
    super(hub, parent, 'delta');
    this.dueMs = 0;
    this.buttons = Object.keys(WINDOWS).map((name) => {
      const button = make('button', 'td-button', { type: 'button' }, [name]);
      button.addEventListener('click', () => this.#choose(name));
      return button;
    });
    this.bar.append(...this.buttons);
    this.#choose('2m');
  }

  get flowParts() {
    return ['seconds', 'events', 'figures'];
  }

  due(nowMs) {
    if (nowMs < this.dueMs) return false;
    this.dueMs = nowMs + EVERY_MS;
    return true;
  }

  draw(context, width, height) {
    const { flow } = this;
    const cvd = flow?.figure('cvd') ?? { value: NaN, quality: 'exact' };
    this.showTitle('CVD and delta', `${this.symbol} · CVD ${MARKS[cvd.quality]}${signed(cvd.value)}`);
    if (!flow || flow.seconds.length < 2) return this.nothing(context, width, height, 'collecting the first seconds …');
    const [whole, step] = WINDOWS[this.span];
    const to = flow.seconds.at(-1).t;
    const span = filledSpan(whole, to - flow.seconds[0].t);
    const from = to - span;
    const bars = joined(flow.seconds.filter(({ t }) => t > from), step);
    const inner = width - AXIS;
    const x = (t) => ((t - from) / span) * inner;
    const view = { bars, from, to, span, step, x, inner, height, lower: height - FOOT };
    this.drawGaps(context, from, to, x, 0, view.lower);
    const top = Math.round(view.lower * 0.68);
    this.#lines(context, view, top);
    this.#bars(context, view, top + 6, view.lower);
    this.#divergences(context, view, top);
    this.drawTimes(context, from, to, x, view.lower, inner);
    this.#hover(context, view, width);
    this.root.dataset.seconds = String(flow.seconds.length);
    this.root.dataset.cvd = Number.isFinite(cvd.value) ? cvd.value.toFixed(4) : '';
    return undefined;
  }

  summary() {
    return `Cumulative volume delta of ${this.symbol}: ${signed(this.flow?.figure('cvd').value ?? NaN)}`;
  }

  #lines(context, view, bottom) {
    const { theme } = this;
    const cvd = scaleOf(view.bars.map((bar) => bar.cvd), 6, bottom - 6);
    const mid = scaleOf(view.bars.map((bar) => bar.mid), 6, bottom - 6);
    view.cvdScale = cvd;
    view.midScale = mid;
    for (const mark of format.ticks(cvd.low, cvd.high, 4)) {
      const y = cvd.y(mark);
      context.fillStyle = theme.grid;
      context.fillRect(0, Math.round(y), view.inner, 1);
      context.textBaseline = 'middle';
      if (y > 8) write(context, signed(mark), view.inner + 6, y, 'left', theme.muted, this.font(10));
    }
    this.#line(context, view, 'mid', mid, theme.muted, 1.2, [4, 3]);
    this.#line(context, view, 'cvd', cvd, theme.text, 2, []);
    context.textBaseline = 'middle';
    write(context, '― CVD', 8, 9, 'left', theme.text, this.font(10, 600));
    write(context, '┄ mid', 58, 9, 'left', theme.muted, this.font(10));
  }

  #line(context, view, name, scale, color, wide, dash) {
    context.strokeStyle = color;
    context.lineWidth = wide;
    context.setLineDash(dash);
    context.beginPath();
    let before = -Infinity;
    for (const bar of view.bars) {
      if (!Number.isFinite(bar[name])) continue;
      // Across seconds of which nothing is known there is no line.
      context[bar.t - before > view.step ? 'moveTo' : 'lineTo'](view.x(bar.t), scale.y(bar[name]));
      before = bar.t;
    }
    context.stroke();
    context.setLineDash([]);
  }

  #bars(context, view, top, bottom) {
    const { theme } = this;
    const middle = (top + bottom) / 2;
    const most = Math.max(...view.bars.map(({ delta }) => Math.abs(delta)), 1e-12);
    const wide = Math.max(1, (view.step / view.span) * view.inner - 1);
    for (const { t, delta } of view.bars) {
      const long = (Math.abs(delta) / most) * (bottom - top) * 0.5;
      context.fillStyle = delta >= 0 ? theme.bid : theme.ask;
      context.fillRect(view.x(t) - wide, delta >= 0 ? middle - long : middle, wide, Math.max(delta ? 1 : 0, long));
    }
    context.fillStyle = theme.border;
    context.fillRect(0, Math.round(middle), view.inner, 1);
    context.textBaseline = 'middle';
    write(context, `±${format.size(most, 2)}`, view.inner + 6, middle, 'left', theme.muted, this.font(10));
    write(context, `delta per ${view.step / 1000} s`, 8, top + 6, 'left', theme.muted, this.font(10));
  }

  /** A new extreme of the price that the CVD did not confirm. */
  #divergences(context, view, bottom) {
    const found = this.flow.events.filter(({ kind, t }) => kind === 'delta_divergence' && t > view.from && t <= view.to);
    context.textBaseline = 'middle';
    for (const { t, side } of found) {
      const y = side > 0 ? bottom - 12 : 22;
      write(context, side > 0 ? '▲ D' : '▼ D', view.x(t), y, 'center', this.theme.warn, this.font(11, 700));
    }
    this.root.dataset.divergences = String(found.length);
  }

  #hover(context, view) {
    const { pointer, theme } = this;
    if (!pointer || pointer.x > view.inner) return this.showTip(null);
    const t = view.from + (pointer.x / view.inner) * view.span;
    const bar = view.bars.find((one) => t > one.t - view.step && t <= one.t);
    if (!bar) return this.showTip(null);
    context.fillStyle = alpha(theme.text, 0.4);
    context.fillRect(Math.round(view.x(bar.t)), 0, 1, view.lower);
    return this.showTip([
      ['until', clock(bar.t)],
      ['delta = bought − sold', signed(bar.delta)],
      ['volume', format.size(bar.volume)],
      ['CVD = sum of deltas since the anchor', signed(bar.cvd)],
      ['mid', format.mid(bar.mid, this.decimals())],
    ], pointer.x, pointer.y);
  }

  #choose(name) {
    this.span = name;
    for (const button of this.buttons) button.setAttribute('aria-pressed', String(button.textContent === name));
    this.dueMs = 0;
    this.touch();
  }
}

/** A number with its sign; unknown is a dash. */
export function signed(value) {
  return Number.isFinite(value) ? `${value > 0 ? '+' : value < 0 ? '−' : ''}${format.size(Math.abs(value), 3)}` : format.UNKNOWN;
}

function scaleOf(values, top, bottom) {
  const known = values.filter(Number.isFinite);
  let [low, high] = [Math.min(...known), Math.max(...known)];
  if (!(high > low)) [low, high] = [low - 1, high + 1];
  const air = (high - low) * 0.06;
  [low, high] = [low - air, high + air];
  return { low, high, y: (value) => bottom - ((value - low) / (high - low)) * (bottom - top) };
}
