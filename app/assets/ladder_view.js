// What all ladders share: asks above, bids below, a band between them, rows that can be scrolled.

import { CanvasPanel } from './panel.js';

export const LEVELS = 20;
export const HEAD = 20;
export const MIDDLE = 30;
const LEAST_ROW = 14;
const MOST_ROW = 22;
const WALL = 6;

/** How many rows per side fit, and how high they are. */
export function layoutRows(height) {
  const room = height - HEAD - MIDDLE;
  const row = Math.max(LEAST_ROW, Math.min(MOST_ROW, Math.floor(room / (2 * LEVELS))));
  return { row, perSide: Math.max(1, Math.floor(room / (2 * row))) };
}

/** The size that fills a bar: the largest, unless a wall would flatten all others. */
export function barScale(sizes) {
  if (!sizes.length) return 1;
  const sorted = [...sizes].sort((a, b) => a - b);
  return Math.min(sorted.at(-1), WALL * sorted[sorted.length >> 1]);
}

/** Running totals of a list of sizes. */
export function totals(sizes) {
  let sum = 0;
  return sizes.map((size) => (sum += size));
}

/** A canvas whose rows move with the wheel, the keys and a double click; `scroll` is how far, in pixels. */
export class LadderView extends CanvasPanel {
  constructor(hub, parent, kind) {
    super(hub, parent, kind);
    this.scroll = 0;
    this.canvas.addEventListener('wheel', (event) => this.#wheel(event), { passive: false });
    this.canvas.addEventListener('dblclick', () => this.#scrollTo(0));
    this.canvas.addEventListener('keydown', (event) => this.#key(event));
  }

  /** Where the band between the sides begins; keeps the scroll within the `levels` that there are. */
  middleOf(levels, row, perSide) {
    this.limit = Math.max(0, levels - perSide) * row;
    this.scroll = Math.max(-this.limit, Math.min(this.limit, this.scroll));
    return HEAD + perSide * row + this.scroll;
  }

  /** Draw rows: what reaches above the head or below the canvas is cut off. */
  clipped({ context, width, bottom }, draw) {
    context.save();
    context.beginPath();
    context.rect(0, HEAD, width, bottom - HEAD);
    context.clip();
    context.textBaseline = 'middle';
    draw();
    context.restore();
  }

  /** The empty band between the sides, its edges `color` and `thick`; the height at which its words stand. */
  band({ context, width, middle }, color = this.theme.border, thick = 1) {
    context.fillStyle = this.theme.background;
    context.fillRect(0, middle, width, MIDDLE);
    context.fillStyle = color;
    context.fillRect(0, middle, width, thick);
    context.fillRect(0, middle + MIDDLE - thick, width, thick);
    return middle + MIDDLE / 2 + 0.5;
  }

  /** The empty head; what writes a column's name into it. */
  head({ context, width }) {
    const { theme } = this;
    context.fillStyle = theme.panel;
    context.fillRect(0, 0, width, HEAD);
    context.fillStyle = theme.grid;
    context.fillRect(0, HEAD - 1, width, 1);
    context.textBaseline = 'middle';
    const font = `600 10px ${theme.sans}`;
    return (text, x, align) => write(context, text, x, HEAD / 2, align, theme.faint, font);
  }

  /** The row under the pointer, outlined: { isBid, index, y }; null where there is none of `counts` = [bids, asks]. */
  hovered({ context, width, row, middle }, [bids, asks]) {
    const { pointer, theme } = this;
    const hit = pointer && pointer.y > HEAD ? rowAt(pointer.y, middle, row) : null;
    if (!hit || hit.index >= (hit.isBid ? bids : asks)) return null;
    const y = rowTop(hit.isBid, hit.index, { middle, row });
    context.strokeStyle = theme.muted;
    context.lineWidth = 1;
    context.strokeRect(0.5, y + 0.5, width - 1, row - 1);
    return { ...hit, y };
  }

  #wheel(event) {
    const before = this.scroll;
    this.#scrollTo(this.scroll - event.deltaY * (event.deltaMode === 1 ? 16 : 1));
    if (this.scroll !== before) event.preventDefault();
  }

  #scrollTo(scroll) {
    const limit = this.limit ?? 0;
    this.scroll = Math.max(-limit, Math.min(limit, scroll));
    this.touch();
  }

  #key(event) {
    const step = { ArrowUp: 32, ArrowDown: -32, PageUp: 200, PageDown: -200 }[event.key];
    if (event.key === 'Home') this.#scrollTo(0);
    else if (step) this.#scrollTo(this.scroll + step);
    else return;
    event.preventDefault();
  }
}

/** The upper edge of a level's row: `index` counts from the best price. */
export function rowTop(isBid, index, { middle, row }) {
  return isBid ? middle + MIDDLE + index * row : middle - (index + 1) * row;
}

/** Which level lies at a height; null between the sides. */
export function rowAt(y, middle, row) {
  if (y < middle) return { isBid: false, index: Math.floor((middle - y) / row) };
  if (y >= middle + MIDDLE) return { isBid: true, index: Math.floor((y - middle - MIDDLE) / row) };
  return null;
}

export function write(context, text, x, y, align, color, font) {
  context.font = font;
  context.textAlign = align;
  context.fillStyle = color;
  context.fillText(text, x, y);
}
