// What the detectors found, newest first: large orders, sweeps, refills, walls, absorption, exhaustion, divergence.

import * as format from './format.js';
import { FlowPanel, clock, MARKS, write } from './flow_panel.js';
import { alpha } from './theme.js';

const ROW = 20;

/** Name, glyph, and what it says in words. */
export const KINDS = {
  large_order: ['Large order', '⬤', (e, f) => `${f.size(e.size)} at ${f.price(e.price)} · among the largest 1 %`],
  sweep: ['Sweep', '⇶', (e, f) => `${f.size(e.size)} through ${e.evidence.levels} prices to ${f.price(e.price)} · ${format.bps(e.evidence.slip_bps)}`],
  refill: ['Refill', '↻', (e, f) => `${f.price(e.price)} refilled ${e.evidence.refills} ×, ${f.size(e.size)} traded, ${f.size(e.evidence.peak)} shown`],
  wall: ['Wall', '▮', (e, f) => `${f.size(e.size)} at ${f.price(e.price)} · ${e.evidence.times_median?.toFixed(0)} × usual`],
  absorption: ['Absorption', '⇥', (e, f) => `${f.size(e.size)} taken, price hardly moved`],
  exhaustion: ['Exhaustion', '◇', (e) => `move ${e.side > 0 ? 'up' : 'down'} on ${Math.round((e.evidence.decline ?? 0) * 100)} % less volume`],
  delta_divergence: ['Divergence', 'D', (e) => `new price ${e.side > 0 ? 'low' : 'high'} not confirmed by the CVD`],
};

export class HappeningsPanel extends FlowPanel {
  constructor(hub, parent) {
    super(hub, parent, 'happenings');
    this.scroll = 0;
    this.canvas.addEventListener('wheel', (event) => {
      const before = this.scroll;
      this.scroll = Math.max(0, Math.min(this.limit ?? 0, this.scroll + event.deltaY));
      if (this.scroll !== before) event.preventDefault();
      this.touch();
    }, { passive: false });
  }

  get flowParts() {
    return ['events'];
  }

  changeFeed() {
    this.scroll = 0;
  }

  draw(context, width, height) {
    const { flow, theme, feed } = this;
    this.showTitle('Large orders, sweeps and more', this.symbol);
    const shown = flow ? flow.events.filter(worthShowing).reverse() : [];
    this.root.dataset.events = String(shown.length);
    if (!shown.length) return this.nothing(context, width, height, 'nothing found yet');
    this.limit = Math.max(0, shown.length * ROW - height);
    this.scroll = Math.min(this.scroll, this.limit);
    const as = { size: (value) => format.size(value, Math.min(feed.sizeDecimals, 4)), price: (value) => format.price(value, feed.priceDecimals) };
    context.textBaseline = 'middle';
    shown.forEach((event, i) => {
      const y = i * ROW - this.scroll;
      if (y + ROW < 0 || y > height) return;
      const color = event.side > 0 ? theme.bid : event.side < 0 ? theme.ask : theme.muted;
      const [name, glyph, tell] = KINDS[event.kind] ?? [event.kind, '•', () => ''];
      if (event.kind === 'sweep' || event.kind === 'large_order') {
        context.fillStyle = alpha(color, 0.13);
        context.fillRect(0, y, width, ROW);
      }
      const line = y + ROW / 2 + 0.5;
      write(context, clock(event.t), 8, line, 'left', theme.muted, this.font(11));
      write(context, glyph, 78, line, 'center', color, this.font(11, 700));
      write(context, `${name} ${sideOf(event)}`, 92, line, 'left', color, this.font(11, 600));
      write(context, `${MARKS[event.quality]} ${tell(event, as)}`, 196, line, 'left', theme.text, this.font(11));
    });
    return this.showTip(null);
  }

  summary() {
    return `${this.root.dataset.events} findings of ${this.symbol}`;
  }
}

/** Resting orders stand on a side of the book, all else goes up or down. */
function sideOf({ kind, side }) {
  if (kind === 'wall' || kind === 'refill') return side > 0 ? 'bid' : 'ask';
  return side > 0 ? '▲' : side < 0 ? '▼' : '';
}

/** Sweeps through three fine price steps are common: only those of a large size are news. */
export function worthShowing(event) {
  return event.kind !== 'sweep' || event.evidence.alert === 1;
}
