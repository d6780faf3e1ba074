// The figures of order flow: value, bar, mark of its quality, and on hover what it means.

import * as format from './format.js';
import { MARKS, marketTime } from './flow_panel.js';
import { make, Panel } from './panel.js';

const EVERY_MS = 200;
const GROUPS = [
  ['Spread and price', ['spread_bps', 'spread_ticks', 'spread_z', 'spread_pctile', 'microprice']],
  ['Depth imbalance', ['imbalance_1', 'imbalance_5', 'imbalance_10', 'imbalance_band_10', 'depth_bid_10', 'depth_ask_10']],
  ['Volume imbalance', ['trade_imbalance_10s', 'trade_imbalance_60s', 'delta_60s', 'buy_volume_60s', 'sell_volume_60s']],
  ['Order-flow imbalance', ['ofi_norm_5s', 'ofi_z', 'pull_rate_bid', 'pull_rate_ask']],
  ['Absorption and exhaustion', ['absorption_progress', 'absorption', 'exhaustion', 'vacuum_bid_severity', 'vacuum_ask_severity']],
  ['Costs', ['buy_cost_bps_100k', 'sell_cost_bps_100k', 'effective_spread_bps', 'realised_spread_bps_5s']],
  ['Pace', ['volatility_ratio', 'efficiency_ratio', 'adx', 'trade_rate_ratio']],
  ['Impact', ['kyle_lambda', 'vpin', 'large_order_size']],
];
/** How far a bar reaches; those of both signs begin in the middle. */
const REACH = {
  imbalance_1: 1, imbalance_5: 1, imbalance_10: 1, imbalance_band_10: 1, trade_imbalance_10s: 1, trade_imbalance_60s: 1,
  spread_z: 6, ofi_z: 6, ofi_norm_5s: 6,
};
const FILLS = { spread_pctile: 1, absorption_progress: 1, vacuum_bid_severity: 1, vacuum_ask_severity: 1, vpin: 1, pull_rate_bid: 5, pull_rate_ask: 5 };
/** What the detectors saw last. */
const SEEN = {
  absorption: ['Absorption', 'When heavy taking last moved the price by a tenth or less of what it usually does: move ≤ 0.1 · λ · volume, volume among the largest tenth.'],
  exhaustion: ['Exhaustion', 'When a move last reached an extreme while the volume behind it fell by 40 % or more: 1 − volume of 15 s / volume of the 15 s before. It has no direction.'],
};

const CSS = `
.td-gauges { position: absolute; inset: 0; overflow: auto; padding: 6px 10px; display: grid; grid-template-columns: repeat(auto-fill, minmax(136px, 1fr)); gap: 8px 14px; align-content: start; }
.td-group h4 { margin: 0 0 2px; font: 600 10px var(--td-sans); letter-spacing: .06em; text-transform: uppercase; color: var(--td-faint); }
.td-gauge { display: grid; grid-template-columns: 1fr auto; align-items: baseline; gap: 0 8px; padding: 1.5px 0; cursor: help; }
.td-gauge span { color: var(--td-muted); white-space: nowrap; overflow: hidden; text-overflow: ellipsis; }
.td-gauge b { font: 600 12px var(--td-mono); } .td-gauge i { font-style: normal; color: var(--td-warn); font-size: 10px; }
.td-gauge em { grid-column: span 2; height: 3px; border-radius: 2px; background: var(--td-hover); position: relative; overflow: hidden; }
.td-gauge em::after { content: ''; position: absolute; top: 0; bottom: 0; left: var(--from, 0); width: var(--wide, 0); background: var(--fill, var(--td-muted)); }
.td-gauge:focus-visible { outline: 2px solid var(--td-accent); }
.td-about { position: absolute; left: 10px; right: 10px; bottom: 6px; z-index: 3; background: var(--td-background); border: 1px solid var(--td-border); border-radius: 4px; padding: 4px 8px; pointer-events: none; white-space: normal; }
`;

/** A figure in words: its unit decides how. */
export function worded(value, unit, decimals) {
  if (!Number.isFinite(value)) return format.UNKNOWN;
  if (unit === 'bps') return format.bps(value);
  if (unit === '%') return `${Math.round(value * 100)} %`;
  if (unit === 'price') return format.price(value, decimals + 1);
  if (unit === '×') return `${value.toFixed(2)} ×`;
  if (unit === 'ticks') return value === 1 ? '1 tick' : `${format.size(value, 0)} ticks`;
  if (unit === 'size') return format.size(value, 3);
  const digits = value !== 0 && Math.abs(value) < 0.01 ? value.toPrecision(2) : value.toFixed(2);
  return value > 0 ? `+${digits}` : digits;
}

export class GaugesPanel extends Panel {
  constructor(hub, parent) {
    super(hub, parent, 'gauges');
    parent.append(make('style', '', {}, [CSS]));
    this.dueMs = 0;
    this.grid = make('div', 'td-gauges td-fade');
    this.about = make('div', 'td-about');
    this.about.hidden = true;
    this.body.prepend(this.grid);
    this.body.append(this.about);
    this.cells = new Map();
    for (const [title, names] of GROUPS) {
      this.grid.append(make('section', 'td-group', {}, [make('h4', '', {}, [title]), ...names.map((name) => this.#cell(name))]));
    }
  }

  update(data) {
    super.update(data);
    if (data.flow) this.keys = [data.feed, data.flow];
  }

  get flow() {
    return this.keys.length > 1 ? this.hub.feed(this.keys[1]).flow : null;
  }

  stamp() {
    const { flow } = this;
    return super.stamp() + (flow ? flow.versions.figures + flow.versions.events : 0);
  }

  due(nowMs) {
    if (nowMs < this.dueMs) return false;
    this.dueMs = nowMs + EVERY_MS;
    return true;
  }

  paint(nowMs) {
    this.showTitle('Gauges', `${this.keys[0]?.[1] ?? ''} · ≈ estimated, ◐ partial`);
    const { flow } = this;
    if (!flow) return;
    for (const [name, cell] of this.cells) {
      if (name in SEEN) this.#showSeen(name, cell, nowMs);
      else this.#show(name, cell, flow.figure(name), flow.explained.get(name));
    }
    const known = [...this.cells.keys()].filter((name) => Number.isFinite(flow.figure(name).value));
    this.root.dataset.known = known.join(' ');
  }

  summary() {
    return `Order-flow figures of ${this.keys[0][1]}`;
  }

  #cell(name) {
    const parts = { label: make('span'), value: make('b', '', {}, [format.UNKNOWN]), mark: make('i'), bar: make('em') };
    parts.root = make('div', 'td-gauge', { 'data-figure': name, tabindex: '0' }, [parts.label, make('div', '', {}, [parts.mark, ' ', parts.value])]);
    if (name in REACH || name in FILLS) parts.root.append(parts.bar);
    const tell = () => { this.about.textContent = parts.about ?? ''; this.about.hidden = !parts.about; };
    const hush = () => { this.about.hidden = true; };
    for (const [event, act] of [['pointerenter', tell], ['focus', tell], ['pointerleave', hush], ['blur', hush]]) parts.root.addEventListener(event, act);
    this.cells.set(name, parts);
    return parts.root;
  }

  #show(name, cell, { value, quality, warm }, told) {
    if (!told) return;
    put(cell.label, told.label);
    const words = worded(value, told.unit, this.feed?.priceDecimals ?? 2);
    put(cell.value, name in REACH ? words : words.replace('+', ''));
    const warming = Number.isFinite(value) && warm > 0 && warm < 0.999 ? `${Math.floor(warm * 100)} %` : '';
    put(cell.mark, Number.isFinite(value) ? `${MARKS[quality]} ${warming}`.trim() : '');
    const state = { exact: '', estimated: ' (≈ estimated: a side or a split was inferred)', partial: ' (◐ from less than was asked for)' };
    cell.about = `${told.label}: ${told.about}${state[quality]}${warming ? ` Window filled to ${warming}.` : ''}`;
    cell.root.dataset.quality = quality;
    this.#fill(name, cell, value);
  }

  #fill(name, cell, value) {
    const reach = REACH[name];
    const share = Number.isFinite(value) ? Math.min(1, Math.abs(value) / (reach ?? FILLS[name] ?? 1)) : 0;
    const style = cell.bar.style;
    style.setProperty('--from', reach ? `${value < 0 ? 50 - 50 * share : 50}%` : '0');
    style.setProperty('--wide', `${(reach ? 50 : 100) * share}%`);
    const sided = reach && !name.startsWith('spread');
    style.setProperty('--fill', sided ? (value < 0 ? 'var(--td-ask)' : 'var(--td-bid)') : (name === 'absorption_progress' ? value <= 0.1 : share > 0.8) ? 'var(--td-warn)' : 'var(--td-muted)');
  }

  #showSeen(name, cell, nowMs) {
    const [label, about] = SEEN[name];
    const last = this.flow.events.filter(({ kind }) => kind === name).at(-1);
    put(cell.label, label);
    const ageS = last ? (marketTime(this.feed, this.flow, nowMs) - last.t) / 1000 : NaN;
    put(cell.value, last ? `${last.side > 0 ? '▲' : '▼'} ${format.age(ageS)} ago` : 'none seen');
    cell.about = `${label}: ${about}`;
  }
}

function put(element, words) {
  if (element.textContent !== words) element.textContent = words;
}
