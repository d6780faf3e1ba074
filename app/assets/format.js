// Numbers and times as the desk writes them. Unknown is "–". Pure.

export const UNKNOWN = '–';
const grouped = new Map();

/** A price with exactly `decimals` decimals and grouped thousands. */
export function price(value, decimals) {
  return Number.isFinite(value) ? formatter(decimals, decimals).format(value) : UNKNOWN;
}

/** A size in at most `width` characters or so: exact when short, else with a suffix. */
export function size(value, decimals = 4) {
  if (!Number.isFinite(value)) return UNKNOWN;
  const magnitude = Math.abs(value);
  if (magnitude >= 1e9) return `${formatter(2, 2).format(value / 1e9)}B`;
  if (magnitude >= 1e6) return `${formatter(2, 2).format(value / 1e6)}M`;
  if (magnitude >= 1e5) return `${formatter(1, 1).format(value / 1e3)}K`;
  const shown = Math.min(decimals, magnitude >= 1e3 ? 1 : magnitude >= 100 ? 2 : magnitude >= 1 ? 3 : decimals);
  return formatter(shown, shown).format(value);
}

/** Hundredths of a percent. */
export function bps(value) {
  if (!Number.isFinite(value)) return UNKNOWN;
  const magnitude = Math.abs(value);
  const digits = magnitude >= 100 ? 0 : magnitude >= 1 ? 1 : 2;
  return `${value.toFixed(digits)} bps`;
}

/** Milliseconds since the epoch as local time with milliseconds. */
export function time(ms) {
  if (!Number.isFinite(ms)) return UNKNOWN;
  const date = new Date(ms);
  const two = (n) => String(n).padStart(2, '0');
  const clock = `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`;
  return `${clock}.${String(date.getMilliseconds()).padStart(3, '0')}`;
}

/** An age in seconds, short. */
export function age(seconds) {
  if (!Number.isFinite(seconds)) return UNKNOWN;
  if (seconds < 1) return '<1 s';
  if (seconds < 120) return `${Math.floor(seconds)} s`;
  return `${Math.floor(seconds / 60)} min`;
}

/** Milliseconds, short. */
export function ms(value) {
  if (!Number.isFinite(value)) return UNKNOWN;
  return Math.abs(value) >= 10 ? `${Math.round(value)}` : value.toFixed(1);
}

/** The next round number (1, 2, 2.5, 5 × 10ⁿ) that is not below `value`. */
export function roundUp(value) {
  if (!(value > 0)) return 1;
  const power = 10 ** Math.floor(Math.log10(value));
  for (const step of [1, 2, 2.5, 5, 10]) if (step * power >= value * (1 - 1e-12)) return step * power;
  return 10 * power;
}

/** Round marks in low … high, about `wanted` of them. */
export function ticks(low, high, wanted) {
  const step = roundUp((high - low) / Math.max(1, wanted));
  const marks = [];
  for (let i = Math.ceil(low / step); i * step <= high; i++) marks.push(i * step);
  return marks;
}

function formatter(least, most) {
  const key = `${least}/${most}`;
  if (!grouped.has(key)) {
    grouped.set(key, new Intl.NumberFormat('en-US', { minimumFractionDigits: least, maximumFractionDigits: most }));
  }
  return grouped.get(key);
}
