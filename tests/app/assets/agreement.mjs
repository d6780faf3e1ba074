// Reads cases (one JSON array), writes what the browser's consolidated book makes of each.

import { readFileSync } from 'node:fs';

import { consolidate, standing } from '../../../app/assets/consolidate.js';
import { FeedState } from '../../../app/assets/state.js';

function feedOf(said) {
  const feed = new FeedState();
  feed.frames = 1;
  feed.state = said.state;
  feed.source = 'stream';
  feed.lastMs = said.lastMs ?? NaN;
  feed.meta = { stale_after_s: said.staleAfterS };
  feed.bids.replace(said.bids.flat());
  feed.asks.replace(said.asks.flat());
  return feed;
}

const cases = JSON.parse(readFileSync(process.argv[2], 'utf8'));
const out = cases.map(({ members, nowMs, step }) => {
  const feeds = members.map(feedOf);
  const standings = feeds.map((feed, i) => standing(feed, members[i].on, false, nowMs));
  return { standings, ...consolidate(feeds.map((feed, i) => (standings[i] === 'live' ? feed : null)), step) };
});
process.stdout.write(JSON.stringify(out));
