// The sections of order flow, read. The layout is described in app/live/flow_frames.py. Pure: no DOM, no clock.

const text = new TextDecoder();
const QUALITIES = ['exact', 'estimated', 'partial'];
const [STEPS, OCTAVES] = [512, 40];

/** The size that a number of the heatmap stands for; NaN where the book was not known. */
export function sizeOf(code) {
  if (code < 2) return code === 1 ? 0 : NaN;
  return 2 ** ((code - 2) / STEPS - OCTAVES);
}

function doubles(view, at, n) {
  const values = new Float64Array(n);
  for (let i = 0; i < n; i++) values[i] = view.getFloat64(at + 8 * i, true);
  return values;
}

const json = (view, at, bytes) => JSON.parse(text.decode(new Uint8Array(view.buffer, view.byteOffset + at, bytes)));

function readFigures(view, at, count) {
  const values = doubles(view, at + 8, count);
  const [qualities, warm] = [[], []];
  for (let i = 0; i < count; i++) {
    qualities.push(QUALITIES[view.getUint8(at + 8 + 8 * count + i)]);
    warm.push(view.getUint8(at + 8 + 9 * count + i) / 255);
  }
  return { atMs: view.getFloat64(at, true), values, qualities, warm };
}

function readHeat(view, at, count) {
  const heat = { step: view.getFloat64(at, true), columns: [] };
  let from = at + 8;
  for (let i = 0; i < count; i++) {
    const rows = view.getUint32(from + 12, true);
    const codes = new Uint16Array(rows);
    for (let row = 0; row < rows; row++) codes[row] = view.getUint16(from + 16 + 2 * row, true);
    heat.columns.push({ beginMs: view.getFloat64(from, true), lowest: view.getInt32(from + 8, true), codes });
    from += 16 + 2 * rows;
  }
  return heat;
}

const into = (name, read) => (frame, ...rest) => { (frame.flow ??= {})[name] = read(...rest); };
const ofJson = (view, at, count, bytes) => json(view, at, bytes);

export const FLOW_READERS = {
  10: into('meta', ofJson),
  11: into('figures', readFigures),
  12: into('heat', readHeat),
  13: into('seconds', (view, at, count) => doubles(view, at, 10 * count)),
  14: into('levels', (view, at, count) => doubles(view, at, 5 * count)),
  15: into('events', ofJson),
  16: into('prints', ofJson),
  17: into('profile', ofJson),
  18: into('standing', ofJson),
  19: into('bubbles', (view, at, count) => doubles(view, at, 4 * count)),
};
