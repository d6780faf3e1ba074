// Numbers and times as the desk writes them. Unknown is "–". Pure.

export const UNKNOWN = '–';
const grouped = new Map();

/** A price with exactly `decimals` decimals and grouped thousands. */
export function price(value, decimals) {
  return Number.isFinite(value) ? formatter(decimals, decimals).format(value) : UNKNOWN;
}

/** A mid: with one decimal more where it lies between two ticks. */
export function mid(value, decimals) {
  const scaled = value * 10 ** decimals;
  return price(value, decimals + (Math.abs(scaled - Math.round(scaled)) > 0.25 ? 1 : 0));
}

/** A size with `decimals` decimals and grouped thousands; very large ones with a suffix. */
export function size(value, decimals = 4) {
  if (!Number.isFinite(value)) return UNKNOWN;
  const magnitude = Math.abs(value);
  if (magnitude >= 1e9) return `${formatter(2, 2).format(value / 1e9)}B`;
  if (magnitude >= 1e6) return `${formatter(2, 2).format(value / 1e6)}M`;
  if (magnitude >= 1e5) return `${formatter(1, 1).format(value / 1e3)}K`;
  return formatter(decimals, decimals).format(value);
}

/** A size in a column of so many decimals; what is there and would read as nothing is "<" the least that can be told. */
export function resting(value, decimals) {
  return value > 0 && value < 0.5 * 10 ** -decimals ? `<${(10 ** -decimals).toFixed(decimals)}` : size(value, decimals);
}

/** How many decimals a column of sizes should show so that it reads well: fewer the larger they typically are. */
export function columnDecimals(values, most) {
  if (!values.length) return most;
  const sorted = [...values].sort((a, b) => a - b);
  const typical = sorted[sorted.length >> 1];
  const wanted = typical >= 1000 ? 0 : typical >= 100 ? 1 : typical >= 10 ? 2 : typical >= 0.1 ? 3 : typical >= 0.01 ? 4 : most;
  return Math.min(most, wanted);
}

/** The fewest decimals that tell marks of this step apart. */
export function stepDecimals(step) {
  return Math.max(0, Math.min(10, Math.ceil(-Math.log10(step) - 1e-9) + (isTwoAndAHalf(step) ? 1 : 0)));
}

function isTwoAndAHalf(step) {
  return Math.abs(step / 10 ** Math.floor(Math.log10(step)) - 2.5) < 1e-6 && step < 10;
}

/** Hundredths of a percent; what is not zero does not read as zero. */
export function bps(value) {
  if (!Number.isFinite(value)) return UNKNOWN;
  const magnitude = Math.abs(value);
  // A tick of a dear coin is less than a hundredth: it must not look like nothing.
  const digits = magnitude >= 100 ? 0 : magnitude >= 1 ? 1 : magnitude >= 0.01 || magnitude === 0 ? 2 : 4;
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
