// The price over time, on a Plotly chart that is made once and kept alive.

import * as format from './format.js';
import { make, Panel } from './panel.js';
import { alpha } from './theme.js';

const EVERY_MS = 250;
const RETRY_MS = 5000;
const MOST_POINTS = 1200;
const AHEAD = 0.02;
const WINDOWS = { '1m': 60_000, '5m': 300_000, All: Infinity };

let plotly = null;

/** Plotly, loaded once per page. */
function load(url) {
  plotly ??= window.Plotly ? Promise.resolve(window.Plotly) : new Promise((resolve, reject) => {
    const script = document.createElement('script');
    script.src = url;
    script.onload = () => resolve(window.Plotly);
    script.onerror = () => { plotly = null; reject(new Error('the chart library could not be loaded')); };
    document.head.append(script);
  });
  return plotly;
}

/** What Plotly draws from: local times as text, so that its axis shows the clock on the wall. */
export function columns(points) {
  const t = points.t.map(wallClock);
  return { t, bid: points.bid, ask: points.ask, mid: points.bid.map((bid, i) => (bid + points.ask[i]) / 2) };
}

/** A moment as the local date and time that Plotly reads without converting. */
export function wallClock(ms) {
  return new Date(ms - new Date(ms).getTimezoneOffset() * 60_000).toISOString().slice(0, 23).replace('T', ' ');
}

/** Pairs (from, to) of time without data; an open one lasts until `nowMs`. */
export function gapShapes(gaps, nowMs, color) {
  const shapes = [];
  for (let i = 0; i < gaps.length; i += 2) {
    shapes.push({
      type: 'rect', xref: 'x', yref: 'paper', y0: 0, y1: 1, layer: 'below', line: { width: 0 }, fillcolor: color,
      x0: wallClock(gaps[i]), x1: wallClock(Number.isNaN(gaps[i + 1]) ? nowMs : gaps[i + 1]),
    });
  }
  return shapes;
}

export class PricePanel extends Panel {
  constructor(hub, parent) {
    super(hub, parent, 'price');
    this.heavy = true;
    this.window = '1m';
    this.following = true;
    this.range = { x: null, y: null };
    this.dueMs = 0;
    this.chart = make('div', 'td-fade', { style: 'position:absolute;inset:0', role: 'img' });
    this.body.prepend(this.chart);
    this.buttons = Object.keys(WINDOWS).map((name) => this.#button(name, () => this.#choose(name)));
    this.follow = this.#button('Follow ▸', () => this.#choose(this.window));
    this.follow.hidden = true;
    this.bar.append(this.follow, ...this.buttons);
    this.#choose('1m');
  }

  get parts() {
    return ['points', 'signals'];
  }

  changeFeed() {
    this.#choose(this.window);
  }

  themed() {
    this.drawn = -1;
  }

  due(nowMs) {
    if (!this.library && !this.loading && nowMs >= this.dueMs) this.#load(nowMs);
    if (!this.library || this.busy || nowMs < this.dueMs || this.chart._dragging) return false;
    this.dueMs = nowMs + EVERY_MS;
    return true;
  }

  paint(nowMs) {
    const { feed } = this;
    this.showTitle('Price', this.keys[0]?.[1] ?? '');
    if (!feed) return;
    const edge = this.#edge(feed, nowMs);
    const span = WINDOWS[this.window];
    const from = this.following && span !== Infinity ? edge - span : -Infinity;
    const data = columns(feed.points.since(from, MOST_POINTS));
    this.busy = true;
    this.library.react(this.chart, this.#traces(data, feed), this.#layout(feed, data, edge), {
      displayModeBar: false, responsive: false, scrollZoom: true, doubleClick: false,
    }).then(() => this.#listen()).finally(() => { this.busy = false; });
  }

  destroy() {
    super.destroy();
    this.library?.purge(this.chart);
  }

  summary() {
    const { feed } = this;
    return `Price of ${this.keys[0][1]}: mid ${format.price(feed.mid, feed.priceDecimals)}`;
  }

  label(text) {
    this.chart.setAttribute('aria-label', text);
  }

  /** Fetch Plotly from its route, or take what the page was booted with. */
  #load(nowMs) {
    const address = this.data?.plotly || window.__tapedeckPlotly;
    if (!address) return;
    this.loading = true;
    load(new URL(address, location.href).href)
      .then((library) => { this.library = library; this.touch(); })
      .catch((error) => {
        this.showTitle('Price', error.message);
        this.loading = false;
        this.dueMs = nowMs + RETRY_MS;
      });
  }

  #edge(feed, nowMs) {
    return feed.points.lastMs > 0 ? Math.max(feed.points.lastMs, nowMs - feed.offsetMs) : nowMs;
  }

  #traces(data, feed) {
    const { theme } = this;
    const line = (name, y, color, width, extra = {}) => ({
      type: 'scatter', mode: 'lines', name, x: data.t, y, line: { color, width, shape: 'hv' },
      hovertemplate: `%{y:,.${feed.priceDecimals}f}`, ...extra,
    });
    const marks = (direction, symbol, color) => {
      const some = feed.signals.filter(([, said]) => said === direction);
      return {
        type: 'scatter', mode: 'markers', name: direction, x: some.map(([at]) => wallClock(at)), y: some.map((s) => s[3]),
        text: some.map(([, , strength, , strategy, reason]) => `${strategy} ${strength.toFixed(2)} ${reason}`),
        hovertemplate: '%{text}', marker: { symbol, color, size: 11, line: { color: theme.background, width: 1.5 } },
      };
    };
    return [
      line('bid', data.bid, theme.bid, 1),
      line('ask', data.ask, theme.ask, 1, { fill: 'tonexty', fillcolor: alpha(theme.text, 0.05) }),
      line('mid', data.mid, theme.text, 1.6),
      marks('buy', 'triangle-up', theme.bid),
      marks('sell', 'triangle-down', theme.ask),
      marks('flat', 'circle-open', theme.muted),
    ];
  }

  #layout(feed, data, edge) {
    const { theme, following, range } = this;
    const axis = {
      gridcolor: theme.grid, zeroline: false, linecolor: theme.border, color: theme.muted, fixedrange: false,
      tickfont: { size: 10, family: theme.mono },
    };
    const span = this.window === 'All' ? edge - Math.max(0, feed.points.since(-Infinity, 1).t[0] ?? edge) : WINDOWS[this.window];
    const width = Math.max(span, 10_000);
    return {
      autosize: true, width: this.body.clientWidth, height: this.body.clientHeight,
      margin: { l: 8, r: 76, t: 8, b: 26 }, showlegend: false, dragmode: 'pan', hovermode: 'x unified',
      paper_bgcolor: 'rgba(0,0,0,0)', plot_bgcolor: 'rgba(0,0,0,0)', uirevision: this.keys[0]?.join() ?? '',
      font: { family: theme.sans, size: 11, color: theme.text },
      hoverlabel: { bgcolor: theme.panel, bordercolor: theme.border, font: { family: theme.mono, size: 11, color: theme.text } },
      xaxis: {
        ...axis, type: 'date', hoverformat: '%H:%M:%S.%L', tickformat: '%H:%M:%S', nticks: Math.max(2, Math.floor(this.body.clientWidth / 110)),
        range: following ? [wallClock(edge - width), wallClock(edge + width * AHEAD)] : range.x,
      },
      yaxis: {
        ...axis, side: 'right', showticklabels: data.t.length > 0, tickformat: `,.${feed.priceDecimals}f`, nticks: 7,
        range: !following && range.y ? range.y : yRange(data, feed),
      },
      shapes: [...gapShapes(feed.gaps, edge, alpha(theme.warn, 0.16)), ...this.#lastLine(feed)],
      annotations: this.#lastTag(feed),
    };
  }

  #lastLine(feed) {
    if (!Number.isFinite(feed.mid)) return [];
    const line = { color: this.theme.muted, width: 1, dash: 'dot' };
    return [{ type: 'line', xref: 'paper', x0: 0, x1: 1, y0: feed.mid, y1: feed.mid, line, layer: 'below' }];
  }

  #lastTag(feed) {
    if (!Number.isFinite(feed.mid)) return [];
    const { theme } = this;
    return [{
      xref: 'paper', x: 1, xanchor: 'left', y: feed.mid, showarrow: false, borderpad: 2,
      text: format.mid(feed.mid, feed.priceDecimals), font: { family: theme.mono, size: 11, color: theme.background },
      bgcolor: feed.direction < 0 ? theme.ask : theme.bid,
    }];
  }

  /** Who moves the chart takes it off the live edge; their view is then kept until they ask to follow again. */
  #listen() {
    if (this.listening) return;
    this.listening = true;
    this.chart.on('plotly_relayout', (change) => {
      if (!Object.keys(change).some((name) => name.startsWith('xaxis') || name.startsWith('yaxis'))) return;
      const { xaxis, yaxis } = this.chart.layout;
      this.range = { x: [...xaxis.range], y: [...yaxis.range] };
      this.following = false;
      this.follow.hidden = false;
      this.touch();
    });
    this.chart.addEventListener('dblclick', () => this.#choose(this.window));
  }

  #choose(name) {
    this.window = name;
    this.following = true;
    this.follow.hidden = true;
    for (const button of this.buttons) button.setAttribute('aria-pressed', String(button.textContent === name));
    this.dueMs = 0;
    this.touch();
  }

  #button(text, action) {
    const button = make('button', 'td-button', { type: 'button' }, [text]);
    button.addEventListener('click', action);
    return button;
  }
}

/** The prices in view with a little air; null (Plotly decides) while there are none. */
export function yRange(data) {
  let [low, high] = [Infinity, -Infinity];
  for (let i = 0; i < data.t.length; i++) {
    if (data.bid[i] < low) low = data.bid[i];
    if (data.ask[i] > high) high = data.ask[i];
  }
  if (!(high >= low)) return undefined;
  const air = (high - low) * 0.08 || high * 1e-5;
  return [low - air, high + air];
}
