// How venues are told apart: a colour, a pattern and a letter each, so that no single one of them has to be seen.

const DARK = ['#4da3e8', '#f0a500', '#2fbf8f', '#e57fb8', '#f3e35a', '#ff7a45'];
const LIGHT = ['#0072b2', '#b87700', '#007a5a', '#a8447d', '#7d6f00', '#c04a00'];
const TILE = 8;
const made = new Map();

/** The colour of member `i` in a theme. */
export const colorOf = (i, theme) => (theme.dark ? DARK : LIGHT)[i % DARK.length];

/** The letter of member `i`. */
export const letterOf = (i) => 'ABCDEF'[i % 6];

/** What to call a venue among its like: one of several of a recording is that venue (`venue_name` in app/words.py). */
export const venueName = (name) => (name.startsWith('replay:') && name.includes('/') ? name.slice(name.indexOf('/') + 1) : name);

// Strokes within a tile, one pattern per member; the first is plain.
const STROKES = [
  () => [],
  () => [[0, TILE, TILE, 0], [-1, 1, 1, -1], [TILE - 1, TILE + 1, TILE + 1, TILE - 1]],
  () => [[TILE / 2, 0, TILE / 2, TILE]],
  () => [[0, 0, TILE, TILE], [-1, TILE - 1, 1, TILE + 1], [TILE - 1, -1, TILE + 1, 1]],
  () => [[0, TILE / 2, TILE, TILE / 2]],
  () => [[0, 0, TILE, TILE], [0, TILE, TILE, 0]],
];

/** What to fill the bars of member `i` with. */
export function patternOf(context, i, theme, ratio) {
  const color = colorOf(i, theme);
  const name = `${i}${color}${ratio}`;
  if (!made.has(name)) made.set(name, draw(context, i, color, theme, ratio));
  return made.get(name);
}

function draw(context, i, color, theme, ratio) {
  const tile = document.createElement('canvas');
  tile.width = tile.height = Math.round(TILE * ratio);
  const pen = tile.getContext('2d');
  pen.scale(tile.width / TILE, tile.height / TILE);
  pen.fillStyle = color;
  pen.fillRect(0, 0, TILE, TILE);
  pen.strokeStyle = theme.dark ? 'rgba(0,0,0,.42)' : 'rgba(255,255,255,.55)';
  pen.lineWidth = 1.6;
  for (const [x1, y1, x2, y2] of STROKES[i % STROKES.length]()) {
    pen.beginPath();
    pen.moveTo(x1, y1);
    pen.lineTo(x2, y2);
    pen.stroke();
  }
  const pattern = context.createPattern(tile, 'repeat');
  pattern.setTransform(new DOMMatrix().scale(1 / ratio));
  return pattern;
}
