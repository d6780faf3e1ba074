// Cumulative depth: how much stands between the mid and any price.

import * as format from './format.js';
import { CanvasPanel } from './panel.js';
import { alpha } from './theme.js';

const AXIS_WIDTH = 58;
const AXIS_HEIGHT = 22;
const TOP = 10;
const LEAST_BPS = 0.5;
const STEADY = 0.25;

/** Cumulative size up to `price` in pairs (price, total), best first; 0 before the first. */
export function totalAt(pairs, price, isBid) {
  let total = 0;
  for (let i = 0; i < pairs.length; i += 2) {
    if (isBid ? pairs[i] < price : pairs[i] > price) break;
    total = pairs[i + 1];
  }
  return total;
}

/** How far, as a share of the mid, both sides can be seen. */
export function reach(depth, mid) {
  const { bids, asks } = depth;
  const low = bids.length ? mid - bids[bids.length - 2] : 0;
  const high = asks.length ? asks[asks.length - 2] - mid : 0;
  return (low && high ? Math.min(low, high) : Math.max(low, high)) / mid;
}

export class DepthPanel extends CanvasPanel {
  constructor(hub, parent) {
    super(hub, parent, 'depth');
    this.zoom = null;
    this.reset = Object.assign(document.createElement('button'), { className: 'td-button', textContent: 'Fit', type: 'button' });
    this.reset.addEventListener('click', () => { this.zoom = null; this.touch(); });
    this.bar.append(this.reset);
    this.canvas.addEventListener('wheel', (event) => this.#wheel(event), { passive: false });
    this.canvas.addEventListener('dblclick', () => { this.zoom = null; this.touch(); });
    this.canvas.addEventListener('keydown', (event) => this.#key(event));
  }

  get parts() {
    return ['depth'];
  }

  changeFeed() {
    this.zoom = this.extent = this.ceiling = null;
  }

  draw(context, width, height) {
    const { feed, theme } = this;
    const span = this.extent ? ` · ± ${format.bps((this.zoom ?? this.extent) * 1e4)}` : '';
    this.showTitle('Depth', `${this.keys[0]?.[1] ?? ''}${span}`);
    this.reset.hidden = this.zoom === null;
    const depth = feed?.depth;
    if (!depth || !(depth.bids.length || depth.asks.length)) return this.showTip(null);
    const mid = middleOf(depth);
    this.#fit(depth, mid);
    const half = mid * (this.zoom ?? this.extent);
    const plot = { left: 0, right: width - AXIS_WIDTH, top: TOP, bottom: height - AXIS_HEIGHT };
    const seen = Math.max(totalAt(depth.bids, mid - half, true), totalAt(depth.asks, mid + half, false));
    this.#ceil(seen);
    const view = {
      context, plot, mid, half,
      x: (price) => plot.left + ((price - mid + half) / (2 * half)) * (plot.right - plot.left),
      y: (total) => plot.bottom - (total / this.ceiling) * (plot.bottom - plot.top),
    };
    this.#grid(view, width);
    context.save();
    context.beginPath();
    context.rect(plot.left, plot.top - 2, plot.right - plot.left, plot.bottom - plot.top + 2);
    context.clip();
    this.#curve(view, depth.bids, theme.bid, plot.left);
    this.#curve(view, depth.asks, theme.ask, plot.right);
    context.fillStyle = alpha(theme.text, 0.35);
    context.fillRect(Math.round(view.x(mid)), plot.top, 1, plot.bottom - plot.top);
    context.restore();
    return this.#crosshair(view, depth);
  }

  summary() {
    const { feed } = this;
    if (!feed.depth) return `Depth of ${this.keys[0][1]}: unknown`;
    const [bids, asks] = [feed.depth.bids.at(-1) ?? 0, feed.depth.asks.at(-1) ?? 0];
    return `Depth of ${this.keys[0][1]}: ${format.size(bids)} to buy and ${format.size(asks)} to sell in the visible book`;
  }

  #fit(depth, mid) {
    const wanted = reach(depth, mid);
    // Follow only real changes, so that the picture does not breathe with every update.
    if (!this.extent || Math.abs(wanted / this.extent - 1) > STEADY) this.extent = wanted || 0.001;
  }

  #ceil(seen) {
    const fits = this.ceiling && seen <= this.ceiling && seen > this.ceiling * 0.6;
    if (fits) return;
    const step = format.roundUp((seen * 1.08) / 4);
    this.ceiling = step * Math.max(1, Math.ceil((seen * 1.08) / step));
  }

  #grid({ context, plot, x, y, mid, half }, width) {
    const { theme, feed } = this;
    context.font = this.font(10);
    context.textBaseline = 'middle';
    context.textAlign = 'left';
    const decimals = format.stepDecimals(format.roundUp(this.ceiling / 4));
    for (const total of format.ticks(0, this.ceiling, 4)) {
      const at = Math.round(y(total));
      context.fillStyle = theme.grid;
      context.fillRect(plot.left, at, plot.right - plot.left, 1);
      context.fillStyle = theme.muted;
      if (total > 0) context.fillText(format.size(total, decimals), plot.right + 6, at);
    }
    context.textAlign = 'center';
    const wanted = Math.max(2, Math.floor(width / 130));
    for (const price of format.ticks(mid - half, mid + half, wanted)) {
      const at = Math.round(x(price));
      context.fillStyle = theme.grid;
      context.fillRect(at, plot.top, 1, plot.bottom - plot.top);
      context.fillStyle = theme.muted;
      if (at > 34 && at < plot.right - 20) context.fillText(format.price(price, feed.priceDecimals), at, plot.bottom + 12);
    }
    context.fillStyle = theme.border;
    context.fillRect(plot.left, plot.bottom, plot.right - plot.left, 1);
  }

  #curve({ context, plot, x, y }, pairs, color, edge) {
    if (!pairs.length) return;
    const steps = new Path2D();
    steps.moveTo(x(pairs[0]), plot.bottom);
    for (let i = 0; i < pairs.length; i += 2) {
      steps.lineTo(x(pairs[i]), i ? y(pairs[i - 1]) : plot.bottom);
      steps.lineTo(x(pairs[i]), y(pairs[i + 1]));
    }
    const area = new Path2D(steps);
    const last = pairs.length - 2;
    // Beyond the last known level nothing is known: the curve ends there.
    const end = edge === plot.left ? Math.max(edge, x(pairs[last])) : Math.min(edge, x(pairs[last]));
    area.lineTo(end, plot.bottom);
    area.closePath();
    const shade = context.createLinearGradient(0, plot.top, 0, plot.bottom);
    shade.addColorStop(0, alpha(color, 0.34));
    shade.addColorStop(1, alpha(color, 0.08));
    context.fillStyle = shade;
    context.fill(area);
    context.strokeStyle = color;
    context.lineWidth = 1.5;
    context.lineJoin = 'round';
    context.stroke(steps);
  }

  #crosshair({ context, plot, mid, half, y }, depth) {
    const { pointer, theme, feed } = this;
    const inside = pointer && pointer.x <= plot.right && pointer.y >= plot.top && pointer.y <= plot.bottom;
    if (!inside) return this.showTip(null);
    const price = mid - half + (2 * half * (pointer.x - plot.left)) / (plot.right - plot.left);
    const isBid = price < mid;
    const total = totalAt(isBid ? depth.bids : depth.asks, price, isBid);
    const color = isBid ? theme.bid : theme.ask;
    context.strokeStyle = theme.muted;
    context.lineWidth = 1;
    context.setLineDash([3, 3]);
    context.beginPath();
    context.moveTo(Math.round(pointer.x) + 0.5, plot.top);
    context.lineTo(Math.round(pointer.x) + 0.5, plot.bottom);
    context.moveTo(plot.left, Math.round(y(total)) + 0.5);
    context.lineTo(plot.right, Math.round(y(total)) + 0.5);
    context.stroke();
    context.setLineDash([]);
    context.fillStyle = color;
    context.beginPath();
    context.arc(pointer.x, y(total), 3.5, 0, 7);
    context.fill();
    return this.showTip([
      [isBid ? 'bids to' : 'asks to', format.price(price, feed.priceDecimals)],
      ['total', format.size(total, feed.sizeDecimals)],
      ['from mid', format.bps((price / mid - 1) * 1e4)],
    ], pointer.x, pointer.y);
  }

  #wheel(event) {
    event.preventDefault();
    this.#zoomBy(Math.exp(Math.max(-1, Math.min(1, event.deltaY / 300))));
  }

  #zoomBy(factor) {
    if (!this.extent) return;
    const zoom = Math.max(LEAST_BPS / 1e4, Math.min(this.extent * 1.05, (this.zoom ?? this.extent) * factor));
    this.zoom = zoom >= this.extent ? null : zoom;
    this.touch();
  }

  #key(event) {
    const factor = { '+': 0.8, '=': 0.8, '-': 1.25 }[event.key];
    if (factor) this.#zoomBy(factor);
    else if (event.key === 'Home') this.#zoomBy(1e9);
    else return;
    event.preventDefault();
  }
}

function middleOf({ bids, asks }) {
  if (!bids.length) return asks[0];
  return asks.length ? (bids[0] + asks[0]) / 2 : bids[0];
}
