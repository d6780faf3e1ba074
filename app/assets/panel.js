// What all panels share: a root with the page's theme, its state shown over the picture, and at most one draw per frame.

import * as format from './format.js';
import { readTheme, sameTheme } from './theme.js';

const THEME_EVERY_MS = 1000;
const LABEL_EVERY_MS = 1000;
const ANIMATE_MS = 45;
const WORDS = { invalid_symbol: 'UNKNOWN SYMBOL' };
const INVENTED = new Set(['mock', 'synthetic', 'replay']);

const CSS = `
.td-panel { position: relative; box-sizing: border-box; width: 100%; overflow: hidden; border: 1px solid var(--td-border);
  border-radius: 6px; background: var(--td-panel); color: var(--td-text); font: 12px/1.35 var(--td-sans);
  font-variant-numeric: tabular-nums; display: flex; flex-direction: column; }
.td-panel * { box-sizing: border-box; }
.td-bar { display: flex; align-items: center; gap: 8px; height: 30px; padding: 0 10px; flex: none;
  border-bottom: 1px solid var(--td-border); white-space: nowrap; overflow: hidden; }
.td-title { font-weight: 600; letter-spacing: .02em; }
.td-note { color: var(--td-muted); overflow: hidden; text-overflow: ellipsis; }
.td-space { flex: 1; }
.td-chip { font-size: 10px; font-weight: 600; letter-spacing: .08em; padding: 1px 6px; border-radius: 3px;
  color: var(--td-warn); border: 1px solid currentColor; }
.td-chip:empty { display: none; }
.td-body { position: relative; flex: 1; min-height: 0; }
.td-body canvas { position: absolute; inset: 0; width: 100%; height: 100%; display: block; }
.td-dim canvas, .td-dim .td-fade { opacity: .38; }
.td-over { position: absolute; left: 50%; top: 50%; transform: translate(-50%, -50%); max-width: 92%; text-align: center;
  pointer-events: none; background: var(--td-panel); border: 1px solid var(--td-border); border-radius: 6px;
  padding: 6px 14px; box-shadow: 0 2px 14px rgba(0,0,0,.25); }
.td-over b { display: block; letter-spacing: .1em; color: var(--td-warn); font-weight: 700; }
.td-over span { display: block; color: var(--td-muted); font-size: 11px; }
.td-over span:empty, .td-over[hidden], .td-panel [hidden] { display: none; }
.td-button { font: inherit; font-size: 11px; color: var(--td-muted); background: transparent; border: 1px solid transparent;
  border-radius: 4px; padding: 1px 7px; cursor: pointer; }
.td-button:hover { color: var(--td-text); border-color: var(--td-border); }
.td-button:focus-visible, .td-input:focus-visible { outline: 2px solid var(--td-accent); outline-offset: -1px; }
.td-button[aria-pressed=true] { color: var(--td-text); background: var(--td-hover); border-color: var(--td-border); }
.td-pill { position: absolute; left: 50%; top: 23px; transform: translateX(-50%); z-index: 2; font: inherit; font-size: 11px;
  font-weight: 600; color: var(--td-background); background: var(--td-text); border: 0; border-radius: 10px;
  padding: 2px 10px; cursor: pointer; }
.td-input { font: inherit; font-size: 11px; width: 64px; color: var(--td-text); background: var(--td-background);
  border: 1px solid var(--td-border); border-radius: 4px; padding: 1px 5px; }
.td-tip { position: absolute; z-index: 3; pointer-events: none; background: var(--td-background); font-size: 11px;
  border: 1px solid var(--td-border); border-radius: 4px; padding: 4px 8px; white-space: nowrap; line-height: 1.5; }
.td-tip b { font-weight: 600; } .td-tip i { font-style: normal; color: var(--td-muted); }
`;

/** An element with a class, attributes and children. */
export function make(tag, className = '', attributes = {}, children = []) {
  const element = document.createElement(tag);
  if (className) element.className = className;
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

/** The word over a picture that is not live, its reason, and whether the picture is dimmed; null when all is well. */
export function overlayOf(feed, cut, nowMs) {
  if (cut) return { word: feed?.frames ? 'RECONNECTING' : 'CONNECTING', reason: 'no connection to the server', dim: true };
  if (!feed || !feed.frames) return { word: 'CONNECTING', reason: '', dim: true };
  if (feed.state === 'live') return null;
  const reason = feed.meta?.reason ?? '';
  if (feed.state === 'polling') return { word: 'POLLING', reason, dim: false };
  if (feed.state === 'stale') return { word: `STALE ${format.age(feed.ageS(nowMs))}`, reason: '', dim: true };
  return { word: WORDS[feed.state] ?? feed.state.toUpperCase(), reason, dim: true };
}

/** Base of all panels. A subclass says which `parts` of a feed it draws, and draws them in `paint`. */
export class Panel {
  constructor(hub, parent, kind) {
    this.hub = hub;
    this.kind = kind;
    this.keys = [];
    this.feed = null;
    this.theme = null;
    this.animating = false;
    this.painted = 0;
    this.touched = 1;
    this.drawn = -1;
    this.paintedMs = 0;
    this.themeDueMs = this.labelDueMs = 0;
    this.title = make('span', 'td-title');
    this.note = make('span', 'td-note');
    this.chip = make('span', 'td-chip');
    this.bar = make('div', 'td-bar', {}, [this.title, this.note, make('span', 'td-space'), this.chip]);
    this.word = make('b');
    this.reason = make('span');
    this.over = make('div', 'td-over', { 'aria-live': 'polite' }, [this.word, this.reason]);
    this.over.hidden = true;
    this.body = make('div', 'td-body', {}, [this.over]);
    this.root = make('div', 'td-panel', { 'data-panel': kind, 'data-painted': '0' }, [this.bar, this.body]);
    parent.append(make('style', '', {}, [CSS]), this.root);
    this.watcher = new ResizeObserver(() => this.touch());
    this.watcher.observe(this.body);
  }

  get parts() {
    return [];
  }

  /** The feeds of which a picture shows everything that is new. */
  get feeds() {
    return this.feed ? [this.feed] : [];
  }

  /** What stands over the picture at the moment; null when all is well. */
  overlay(nowMs) {
    return overlayOf(this.feed, this.hub.cut, nowMs);
  }

  update(data) {
    this.data = data;
    this.root.style.height = `${data.height ?? 420}px`;
    const key = data.feed ?? null;
    if (JSON.stringify(key) !== JSON.stringify(this.keys[0] ?? null)) this.changeFeed(key);
    this.keys = key ? [key] : [];
    this.feed = key ? this.hub.feed(key) : null;
    this.root.dataset.symbol = key ? key[1] : '';
    this.touch();
  }

  changeFeed() {}

  touch() {
    this.touched += 1;
    this.hub.wake();
  }

  /** Called once per animation frame; true when something was drawn. */
  frame(nowMs) {
    if (nowMs >= this.themeDueMs) this.#followTheme(nowMs);
    // The hub forgets feeds that nobody shows for a moment, and makes them anew.
    if (this.keys.length) this.feed = this.hub.feed(this.keys[0]);
    this.#showState(nowMs);
    const stamp = this.stamp();
    if (stamp === this.drawn && !(this.animating && nowMs - this.paintedMs > ANIMATE_MS)) return false;
    if (!this.due(nowMs) || !this.body.clientWidth) return false;
    this.drawn = stamp;
    this.paintedMs = nowMs;
    this.animating = false;
    this.paint(nowMs);
    this.painted += 1;
    this.#expose(nowMs);
    return true;
  }

  stamp() {
    if (!this.feed) return this.touched;
    const { versions } = this.feed;
    return this.parts.reduce((sum, part) => sum + versions[part], this.touched + versions.head);
  }

  due() {
    return true;
  }

  destroy() {
    this.watcher.disconnect();
    this.hub.remove(this);
  }

  showTitle(title, note) {
    if (this.title.textContent !== title) this.title.textContent = title;
    if (this.note.textContent !== note) this.note.textContent = note;
  }

  summary() {
    return '';
  }

  #followTheme(nowMs) {
    this.themeDueMs = nowMs + THEME_EVERY_MS;
    const theme = readTheme(this.root);
    if (sameTheme(theme, this.theme)) return;
    this.theme = theme;
    const colors = {
      border: theme.border, panel: theme.panel, background: theme.background, text: theme.text, muted: theme.muted,
      accent: theme.accent, warn: theme.warn, sans: theme.sans, hover: theme.grid, bid: theme.bid, ask: theme.ask,
      mono: theme.mono, bad: theme.bad, faint: theme.faint,
    };
    for (const [name, value] of Object.entries(colors)) this.root.style.setProperty(`--td-${name}`, value);
    this.themed();
    this.touched += 1;
  }

  themed() {}

  #showState(nowMs) {
    const over = this.overlay(nowMs);
    const text = over ? over.word : '';
    if (this.word.textContent !== text) this.word.textContent = text;
    const reason = over ? over.reason : '';
    if (this.reason.textContent !== reason) this.reason.textContent = reason;
    // Polling shows current data: a word in the bar is enough.
    const covered = over !== null && over.dim;
    if (this.over.hidden === covered) this.over.hidden = !covered;
    this.root.classList.toggle('td-dim', covered);
    const chips = [];
    if (over && !over.dim) chips.push(over.word);
    for (const source of new Set(this.feeds.map((feed) => feed.source))) if (INVENTED.has(source)) chips.push(source.toUpperCase());
    const chip = chips.join(' · ');
    if (this.chip.textContent !== chip) this.chip.textContent = chip;
    this.root.dataset.state = over ? text : 'LIVE';
    if (this.feed) this.root.dataset.age = this.feed.ageS(nowMs).toFixed(1);
  }

  #expose(nowMs) {
    const { dataset } = this.root;
    dataset.painted = String(this.painted);
    if (this.scroll !== undefined) dataset.scroll = this.scroll.toFixed(0);
    if (!this.feed) return;
    dataset.seq = String(this.feed.seq);
    dataset.lat = (performance.timeOrigin + performance.now() - this.feed.newestMs).toFixed(1);
    if (nowMs >= this.labelDueMs) {
      this.labelDueMs = nowMs + LABEL_EVERY_MS;
      this.label(this.summary());
    }
  }

  label() {}
}

/** A panel that draws on one canvas, in CSS pixels, sharp on every screen. */
export class CanvasPanel extends Panel {
  constructor(hub, parent, kind) {
    super(hub, parent, kind);
    this.canvas = make('canvas', '', { role: 'img', tabindex: '0' });
    this.body.prepend(this.canvas);
    this.context = this.canvas.getContext('2d');
    this.pointer = null;
    this.canvas.addEventListener('pointermove', (event) => this.#point(event));
    this.canvas.addEventListener('pointerleave', () => { this.pointer = null; this.touch(); });
    this.tip = make('div', 'td-tip');
    this.tip.hidden = true;
    this.body.append(this.tip);
  }

  paint(nowMs) {
    const [width, height] = [this.body.clientWidth, this.body.clientHeight];
    const ratio = window.devicePixelRatio || 1;
    const [pixelWidth, pixelHeight] = [Math.round(width * ratio), Math.round(height * ratio)];
    if (this.canvas.width !== pixelWidth || this.canvas.height !== pixelHeight) {
      this.canvas.width = pixelWidth;
      this.canvas.height = pixelHeight;
    }
    this.context.setTransform(pixelWidth / width, 0, 0, pixelHeight / height, 0, 0);
    this.context.clearRect(0, 0, width, height);
    this.draw(this.context, width, height, nowMs);
  }

  font(size, weight = 400) {
    return `${weight} ${size}px ${this.theme.mono}`;
  }

  label(text) {
    if (this.canvas.getAttribute('aria-label') !== text) this.canvas.setAttribute('aria-label', text);
  }

  /** Show lines of [name, value] beside a point; null hides it. */
  showTip(lines, x, y) {
    this.tip.hidden = lines === null;
    if (lines === null) return;
    this.tip.replaceChildren(...lines.map(([name, value]) => make('div', '', {}, [make('i', '', {}, [`${name} `]), make('b', '', {}, [value])])));
    const { clientWidth: width, clientHeight: height } = this.body;
    const left = x + 14 + this.tip.offsetWidth > width ? x - 14 - this.tip.offsetWidth : x + 14;
    this.tip.style.left = `${Math.max(2, left)}px`;
    this.tip.style.top = `${Math.max(2, Math.min(y + 12, height - this.tip.offsetHeight - 2))}px`;
  }

  #point(event) {
    const box = this.canvas.getBoundingClientRect();
    this.pointer = { x: event.clientX - box.left, y: event.clientY - box.top };
    this.touch();
  }
}
