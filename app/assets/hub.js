// The entry: one hub per page holds every feed's state, feeds the panels, and draws on the browser's own frames.

import { AcrossPanel } from './across.js';
import { decode } from './codec.js';
import { Connection } from './connection.js';
import { DeltaPanel } from './delta.js';
import { DepthPanel } from './depth.js';
import { DomPanel } from './dom.js';
import { FootprintPanel } from './footprint.js';
import { GaugesPanel } from './gauges.js';
import { HappeningsPanel } from './happenings.js';
import { HeatmapPanel } from './heatmap.js';
import { LadderPanel } from './ladder.js';
import { PricePanel } from './price.js';
import { QuotesPanel } from './quotes.js';
import { FeedState } from './state.js';
import { TapePanel } from './tape.js';

const SAMPLES = 4096;
const SILENT_MS = 2500;
const BEAT_MS = 500;
const GRACE_MS = 600;

/** This page's clock: milliseconds since the epoch, steady within a page. */
export const nowMs = () => performance.timeOrigin + performance.now();

export const nameOf = (key) => JSON.stringify(key);

class Hub {
  constructor() {
    this.feeds = new Map();
    this.numbers = new Map();
    this.panels = new Set();
    this.unpainted = 0;
    this.scheduled = false;
    this.closedAtMs = nowMs();
    this.heardMs = -Infinity;
    this.pipedMs = -Infinity;
    this.stats = { messages: 0, frames: 0, bytes: 0, errors: 0, resyncs: 0, paints: 0, samples: [], next: 0 };
    window.__tapedeck = this.stats;
    this.connection = new Connection(`${location.origin.replace(/^http/, 'ws')}/ws/live`, {
      message: (data) => this.#message(data),
      opened: () => { this.closedAtMs = null; this.touchAll(); },
      closed: () => { this.closedAtMs = nowMs(); this.numbers.clear(); this.unpainted = 0; this.touchAll(); },
      ticketNeeded: () => this.#askForTicket(),
    });
  }

  feed(key) {
    const name = nameOf(key);
    if (!this.feeds.has(name)) this.feeds.set(name, new FeedState());
    return this.feeds.get(name);
  }

  /** Whether no data can come at the moment, longer than a blink. */
  get cut() {
    const now = nowMs();
    if (now - this.pipedMs < SILENT_MS) return false;
    const silent = this.closedAtMs === null && now - this.heardMs > SILENT_MS;
    return silent || (this.closedAtMs !== null && now - this.closedAtMs > GRACE_MS);
  }

  add(panel) {
    this.panels.add(panel);
    if (!this.beat) this.beat = setInterval(() => this.#schedule(), BEAT_MS);
  }

  remove(panel) {
    this.panels.delete(panel);
    this.changed();
    if (!this.panels.size) {
      clearInterval(this.beat);
      this.beat = null;
    }
  }

  /** Panels came, went or show other feeds: tell the server once all of them have spoken. */
  changed() {
    clearTimeout(this.settling);
    this.settling = setTimeout(() => this.#watch(), 30);
  }

  touchAll() {
    for (const panel of this.panels) panel.touch();
  }

  wake() {
    this.#schedule();
  }

  /** Take the frames of one message, however it came. */
  apply(bytes, viaSocket) {
    const at = nowMs();
    if (viaSocket) this.heardMs = at;
    else this.pipedMs = at;
    this.stats.messages += 1;
    this.stats.bytes += bytes.byteLength;
    const lost = [];
    for (const frame of decode(bytes)) {
      this.stats.frames += 1;
      if (frame.meta) this.numbers.set(frame.feed, frame.meta.key);
      const key = this.numbers.get(frame.feed);
      // Without a name it is the tail of a feed that is being opened anew: its snapshot follows.
      if (key && !this.feed(key).apply(frame, at)) lost.push(key);
    }
    if (lost.length && viaSocket) {
      this.stats.resyncs += lost.length;
      this.connection.resync(lost);
    }
    this.#schedule();
  }

  #message(data) {
    this.unpainted += 1;
    try {
      this.apply(data, true);
    } catch (error) {
      this.stats.errors += 1;
      console.error('a frame could not be read', error);
      this.connection.resync([...this.panels].flatMap((panel) => panel.keys));
    }
  }

  #watch() {
    const keys = new Map();
    for (const panel of this.panels) for (const key of panel.keys) keys.set(nameOf(key), key);
    for (const name of this.feeds.keys()) if (!keys.has(name)) this.feeds.delete(name);
    const wanted = [...keys.values()];
    const names = [...keys.keys()].sort().join();
    if (names !== this.watched) {
      this.watched = names;
      this.connection.watch(wanted);
    }
  }

  #askForTicket() {
    for (const panel of this.panels) {
      if (panel.askForTicket) {
        panel.askForTicket('renew', nowMs());
        return;
      }
    }
  }

  #schedule() {
    if (this.scheduled) return;
    this.scheduled = true;
    requestAnimationFrame(() => this.#draw());
  }

  #draw() {
    this.scheduled = false;
    const at = nowMs();
    const painted = new Set();
    for (const panel of this.panels) {
      if (!panel.heavy && panel.frame(at)) for (const feed of panel.feeds) painted.add(feed);
    }
    // What takes long is drawn after the frame is on its way, so that it delays no other panel.
    setTimeout(() => this.#drawHeavy());
    const after = nowMs();
    for (const feed of painted) this.#sample(feed, after);
    if (this.unpainted) {
      this.connection.acknowledge(this.unpainted);
      this.unpainted = 0;
    }
    for (const panel of this.panels) if (panel.animating) this.#schedule();
  }

  #drawHeavy() {
    for (const panel of this.panels) if (panel.heavy) panel.frame(nowMs());
  }

  /** How old the newest and the oldest of the `events` updates were that a feed's first picture since the last one shows. */
  #sample(feed, after) {
    this.stats.paints += 1;
    const { oldestMs, newestMs, events } = feed.takeFresh();
    if (!feed.meta || Number.isNaN(oldestMs)) return;
    const [newest, oldest] = [after - newestMs, after - oldestMs];
    this.stats.samples[this.stats.next % SAMPLES] = { at: after, symbol: feed.meta.key[1], seq: feed.seq, newest, oldest, events };
    this.stats.next += 1;
  }
}

let shared = null;
const instances = new WeakMap();

/** What Streamlit calls with a component: at first, and again whenever its data changes. */
function mounts(Panel) {
  return ({ parentElement, data, setTriggerValue }) => {
    // Superseded calls are cleaned up while the component lives on; only a real unmount may destroy it.
    const clean = () => {
      if (parentElement.isConnected) return;
      instances.get(parentElement)?.destroy();
      instances.delete(parentElement);
    };
    try {
      shared ??= new Hub();
      let panel = instances.get(parentElement);
      if (!panel) {
        panel = new Panel(shared, parentElement);
        instances.set(parentElement, panel);
        shared.add(panel);
      }
      panel.askForTicket = setTriggerValue;
      panel.update(data ?? {});
      shared.connection.useTicket(data?.ticket);
      shared.changed();
    } catch (error) {
      console.error('a panel could not be set up', error);
    }
    return clean;
  };
}

/** The other transport: frames that come as component data. It draws nothing itself. */
class Pipe {
  constructor(hub) {
    this.hub = hub;
    this.keys = [];
  }

  update(bytes) {
    if (bytes instanceof Uint8Array && bytes.byteLength) this.hub.apply(bytes.slice(), false);
  }

  frame() {
    return false;
  }

  destroy() {
    this.hub.remove(this);
  }
}

export const mountAcross = mounts(AcrossPanel);
export const mountLadder = mounts(LadderPanel);
export const mountDelta = mounts(DeltaPanel);
export const mountDepth = mounts(DepthPanel);
export const mountDom = mounts(DomPanel);
export const mountFootprint = mounts(FootprintPanel);
export const mountGauges = mounts(GaugesPanel);
export const mountHappenings = mounts(HappeningsPanel);
export const mountHeatmap = mounts(HeatmapPanel);
export const mountTape = mounts(TapePanel);
export const mountPrice = mounts(PricePanel);
export const mountQuotes = mounts(QuotesPanel);
export const mountPipe = mounts(Pipe);
