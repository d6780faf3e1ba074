// What the benchmark puts into the page: finds the panels, notices when one is made anew, and hands out the samples.
(() => {
  const NAMES = ['quotes', 'price', 'ladder', 'depth', 'tape'];
  const look = (root, name) => {
    const hit = root.querySelector(`[data-panel="${name}"]`);
    if (hit) return hit;
    for (const element of root.querySelectorAll('*')) {
      const inner = element.shadowRoot && look(element.shadowRoot, name);
      if (inner) return inner;
    }
    return null;
  };
  const find = (name) => look(document, name);
  // A panel's root, what it draws on, and every element around it up to the document, through shadow roots.
  const chain = (element) => {
    const all = [];
    for (let at = element; at; at = at.parentNode ?? at.host) all.push(at);
    return all;
  };
  const bench = { remounts: 0, longTasks: 0, longest: 0, taken: 0 };
  bench.begin = () => {
    bench.roots = Object.fromEntries(NAMES.map((name) => [name, find(name)]));
    const kept = new Set();
    for (const root of Object.values(bench.roots)) {
      for (const inner of [root.querySelector('canvas'), root.querySelector('.main-svg'), root]) {
        if (inner) for (const one of chain(inner)) kept.add(one);
      }
    }
    const observer = new MutationObserver((records) => {
      for (const record of records) for (const node of record.removedNodes) if (kept.has(node)) bench.remounts += 1;
    });
    for (const node of kept) {
      if (node instanceof ShadowRoot || node instanceof Document) observer.observe(node, { childList: true, subtree: true });
    }
    new PerformanceObserver((list) => {
      for (const entry of list.getEntries()) {
        bench.longTasks += 1;
        bench.longest = Math.max(bench.longest, entry.duration);
      }
    }).observe({ type: 'longtask' });
    bench.reset();
  };
  bench.reset = () => { bench.taken = window.__tapedeck.next; };
  bench.same = () => NAMES.every((name) => find(name) === bench.roots[name] && bench.roots[name].isConnected);
  bench.painted = () => Object.fromEntries(NAMES.map((name) => [name, Number(find(name)?.dataset.painted ?? 0)]));
  bench.samples = () => {
    const { samples, next } = window.__tapedeck;
    const size = Math.min(next - bench.taken, samples.length);
    const lost = next - bench.taken - size;
    const rows = [];
    for (let i = next - size; i < next; i++) {
      const { symbol, newest, oldest, events } = samples[i % 4096];
      rows.push([symbol, newest, oldest, events]);
    }
    bench.taken = next;
    return { rows, lost };
  };
  bench.counts = () => {
    const { messages, frames, bytes, errors, resyncs, paints } = window.__tapedeck;
    return { messages, frames, bytes, errors, resyncs, paints, nodes: document.querySelectorAll('*').length };
  };
  // What a person has moved: the chart's range, the ladder's and the tape's scroll, and the page's own.
  bench.view = () => ({
    range: (look(document, 'price').querySelector('.js-plotly-plot') ?? {}).layout?.xaxis?.range?.map(String),
    ladder: find('ladder').dataset.scroll,
    tape: find('tape').dataset.scroll,
    page: document.querySelector('[data-testid=stMain]').scrollTop,
  });
  // From the press on a symbol of the focus control until the ladder has painted that symbol.
  bench.focused = (symbol) => new Promise((done) => {
    document.addEventListener('pointerdown', () => {
      const start = performance.now();
      const wait = () => {
        const ladder = find('ladder');
        if (ladder.dataset.symbol === symbol && ladder.textContent.includes(symbol)) done(performance.now() - start);
        else requestAnimationFrame(wait);
      };
      wait();
    }, { capture: true, once: true });
  });
  window.__bench = bench;
})();
