// Colours and fonts, taken from Streamlit's own variables so that the panels always match the page.

// Bids blue, asks orange: told apart with every common kind of colour blindness. Each pair has 4.5:1 on its ground.
const DARK = { bid: '#5aa9ff', ask: '#ff9d4d', warn: '#ffd166', bad: '#ff7b72' };
const LIGHT = { bid: '#0b62c4', ask: '#b34700', warn: '#8a5a00', bad: '#b42318' };

/** The theme in force at an element. */
export function readTheme(element) {
  const style = getComputedStyle(element);
  const variable = (name, fallback) => style.getPropertyValue(name).trim() || fallback;
  const background = variable('--st-background-color', '#0b0e14');
  const dark = luminance(background) < 0.4;
  const text = variable('--st-text-color', dark ? '#e6e9f0' : '#1b2030');
  return {
    dark,
    background,
    panel: variable('--st-secondary-background-color', dark ? '#131722' : '#f3f5f9'),
    border: variable('--st-border-color', dark ? '#262b36' : '#d5d9e2'),
    accent: variable('--st-primary-color', '#ff4b4b'),
    text,
    muted: mix(text, background, 0.7),
    faint: mix(text, background, 0.56),
    grid: alpha(text, dark ? 0.07 : 0.09),
    sans: variable('--st-font', '"Source Sans", system-ui, sans-serif'),
    mono: variable('--st-code-font', 'ui-monospace, SFMono-Regular, Menlo, Consolas, monospace'),
    ...(dark ? DARK : LIGHT),
  };
}

/** Whether two themes look the same. */
export function sameTheme(a, b) {
  return a !== null && b !== null && Object.keys(a).every((name) => a[name] === b[name]);
}

/** A colour with the given opacity. */
export function alpha(color, opacity) {
  const [r, g, b] = channels(color);
  return `rgba(${r},${g},${b},${opacity})`;
}

/** `share` of one colour over another. */
export function mix(over, under, share) {
  const [a, b] = [channels(over), channels(under)];
  const blend = a.map((value, i) => Math.round(value * share + b[i] * (1 - share)));
  return `rgb(${blend.join(',')})`;
}

function luminance(color) {
  const [r, g, b] = channels(color).map((value) => value / 255);
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
}

const known = new Map();

function channels(color) {
  if (!known.has(color)) known.set(color, parse(color));
  return known.get(color);
}

function parse(color) {
  const hex = /^#([0-9a-f]{3,8})$/i.exec(color);
  if (hex) {
    const digits = hex[1].length < 6 ? [...hex[1]].map((digit) => digit + digit).join('') : hex[1];
    return [0, 2, 4].map((at) => parseInt(digits.slice(at, at + 2), 16));
  }
  const numbers = color.match(/[\d.]+/g);
  return numbers && numbers.length >= 3 ? numbers.slice(0, 3).map(Number) : [128, 128, 128];
}
