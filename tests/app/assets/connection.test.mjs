import assert from 'node:assert/strict';
import { beforeEach, test } from 'node:test';

import { backoffMs, Connection } from '../../../app/assets/connection.js';

const KEY = ['mock', 'BTCUSDT', 'stream'];
let sockets;
let timers;
let heard;
let connection;

class FakeSocket {
  constructor(url) {
    this.url = url;
    this.sent = [];
    sockets.push(this);
  }

  send(text) {
    this.sent.push(JSON.parse(text));
  }

  close() {
    this.closed = true;
  }
}

beforeEach(() => {
  sockets = [];
  timers = [];
  heard = { messages: 0, opened: 0, closed: 0, asked: 0 };
  connection = new Connection('ws://desk/ws/live', {
    message: () => { heard.messages += 1; },
    opened: () => { heard.opened += 1; },
    closed: () => { heard.closed += 1; },
    ticketNeeded: () => { heard.asked += 1; },
  }, { open: (url) => new FakeSocket(url), later: (run, ms) => timers.push({ run, ms }), random: () => 1 });
});

function greet() {
  connection.useTicket('ticket-1');
  connection.watch([KEY]);
  sockets[0].onopen();
  sockets[0].onmessage({ data: JSON.stringify({ resume: 'token-1' }) });
}

test('it opens once there is a ticket and something to watch, and shows the ticket', () => {
  connection.watch([KEY]);
  assert.equal(sockets.length, 0);
  greet();
  assert.deepEqual(sockets[0].sent, [{ watch: [KEY], ticket: 'ticket-1' }]);
  assert.equal(heard.opened, 1);
});

test('a broken connection comes back with the token, later each time, but never after more than ten seconds', () => {
  greet();
  sockets[0].onclose({ code: 1006 });
  assert.equal(heard.closed, 1);
  const waits = [];
  for (let i = 0; i < 9; i++) {
    waits.push(timers.at(-1).ms);
    timers.at(-1).run();
    sockets.at(-1).onclose({ code: 1006 });
  }
  assert.deepEqual(waits.slice(0, 4), [250, 500, 1000, 2000]);
  assert.equal(waits.at(-1), 10_000);
  timers.at(-1).run();
  sockets.at(-1).onopen();
  assert.deepEqual(sockets.at(-1).sent, [{ watch: [KEY], resume: 'token-1' }]);
});

test('a refused token makes the page ask its script for a new ticket', () => {
  greet();
  sockets[0].onclose({ code: 1006 });
  timers.at(-1).run();
  sockets[1].onclose({ code: 1008 });
  assert.equal(heard.asked, 1);
  connection.useTicket('ticket-2');
  sockets[2].onopen();
  assert.equal(sockets[2].sent[0].ticket, 'ticket-2');
});

test('other feeds are asked for on the running socket, with a new ticket when there is one', () => {
  greet();
  connection.watch([KEY, ['mock', 'ETHUSDT', 'stream']]);
  assert.equal(sockets[0].sent.at(-1).watch.length, 2);
  connection.useTicket('ticket-1');
  assert.equal(sockets[0].sent.length, 2);
  connection.useTicket('ticket-2');
  assert.equal(sockets[0].sent.at(-1).ticket, 'ticket-2');
  assert.equal(sockets.length, 1);
});

test('when nothing is shown any more the socket closes and does not come back', () => {
  greet();
  connection.watch([]);
  assert.ok(sockets[0].closed);
  sockets[0].onclose({ code: 1000 });
  assert.equal(timers.length, 0);
});

test('what is painted is acknowledged, but not to a socket that is gone', () => {
  greet();
  connection.acknowledge(2);
  assert.deepEqual(sockets[0].sent.at(-1), { ack: 2 });
  sockets[0].onclose({ code: 1006 });
  connection.acknowledge(1);
  assert.deepEqual(sockets[0].sent.at(-1), { ack: 2 });
});

test('waiting is shortened by chance to half at most', () => {
  assert.equal(backoffMs(3, () => 0), 1000);
  assert.equal(backoffMs(3, () => 1), 2000);
});
