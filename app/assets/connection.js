// One socket per page: opens with a ticket, comes back with a resume token, acknowledges what was painted.

const FIRST_DELAY_MS = 250;
const LONGEST_DELAY_MS = 10_000;
const POLICY = 1008;

/** How long to wait before try number `attempt` (0, 1, 2 …): exponential, capped, with jitter. */
export function backoffMs(attempt, random = Math.random) {
  return Math.min(LONGEST_DELAY_MS, FIRST_DELAY_MS * 2 ** attempt) * (0.5 + 0.5 * random());
}

/**
 * `handlers`: message(ArrayBuffer), opened(), closed(), ticketNeeded(). `open(url)` makes a WebSocket and `later(fn, ms)` a
 * timer; tests pass their own.
 */
export class Connection {
  constructor(url, handlers, { open = (to) => new WebSocket(to), later = (run, ms) => setTimeout(run, ms), random = Math.random } = {}) {
    Object.assign(this, { url, handlers, open, later, random });
    this.socket = null;
    this.ready = false;
    this.attempt = 0;
    this.ticket = null;
    this.resume = null;
    this.keys = [];
    this.denied = new Set();
    this.retry = null;
  }

  /** A ticket from the page's script; one that was seen before changes nothing. */
  useTicket(ticket) {
    if (!ticket || ticket === this.seenTicket) return;
    this.seenTicket = this.ticket = ticket;
    if (this.ready) this.#greet();
    else this.#connectNow();
  }

  /** Receive exactly these feeds. */
  watch(keys) {
    this.keys = keys;
    if (this.ready) this.#send({ watch: keys });
    else if (keys.length) this.#connectSoon();
    if (!keys.length) this.close();
  }

  /** So many messages were painted. */
  acknowledge(count) {
    if (this.ready && count > 0) this.#send({ ack: count });
  }

  resync(keys) {
    if (this.ready) this.#send({ resync: keys });
  }

  close() {
    clearTimeout(this.retry);
    this.retry = null;
    const { socket } = this;
    this.socket = null;
    this.#lost();
    socket?.close();
  }

  #send(wish) {
    this.socket.send(JSON.stringify(wish));
  }

  #greet() {
    const wish = { watch: this.keys };
    if (this.ticket) {
      wish.ticket = this.ticket;
      this.usedTicket = true;
      this.ticket = null;
    } else if (this.resume) {
      wish.resume = this.resume;
    } else {
      return false;
    }
    this.#send(wish);
    return true;
  }

  #connectNow() {
    clearTimeout(this.retry);
    this.retry = null;
    this.#connectSoon();
  }

  #connectSoon() {
    if (this.socket || this.retry || !this.keys.length) return;
    if (!this.ticket && !this.resume) return;
    const socket = this.open(this.url);
    this.socket = socket;
    socket.binaryType = 'arraybuffer';
    socket.onopen = () => {
      if (socket !== this.socket) return;
      this.ready = true;
      this.#greet();
    };
    socket.onmessage = ({ data }) => {
      if (socket !== this.socket) return;
      if (typeof data === 'string') this.#hear(JSON.parse(data));
      else this.handlers.message(data);
    };
    socket.onclose = ({ code }) => {
      if (socket !== this.socket) return;
      this.socket = null;
      this.#lost();
      this.#tryAgain(code);
    };
  }

  #hear(word) {
    if (word.resume) {
      this.resume = word.resume;
      this.attempt = 0;
      this.handlers.opened();
    }
    if (word.denied) this.handlers.ticketNeeded();
  }

  #lost() {
    if (this.ready) this.handlers.closed();
    this.ready = false;
  }

  #tryAgain(code) {
    if (code === POLICY) {
      this.resume = null;
      if (!this.ticket) this.handlers.ticketNeeded();
    }
    const wait = backoffMs(this.attempt, this.random);
    this.attempt += 1;
    this.retry = this.later(() => {
      this.retry = null;
      if (!this.ticket && !this.resume && this.keys.length) this.handlers.ticketNeeded();
      this.#connectSoon();
    }, wait);
  }
}
