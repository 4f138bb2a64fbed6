// Small SVG pictures for docs/scoreboard: bars with their intervals, and points joined by group. Readable on light and dark pages: text
// and axes take the colour of the page's text where SVG is inlined, and a middle grey where it is an image.
import type { Curve, Figure } from './figure.js';

export const INK = '#7a828c';
const HUES = ['#3b7dd8', '#d9822b', '#3a9d5d', '#b0447e', '#7d6bd0', '#4aa3a2'] as const;
export const hue = (index: number): string => HUES[index % HUES.length] ?? INK;
const FONT = 'font-family="system-ui, sans-serif" font-size="12"';

export const escape = (text: string): string =>
  text.replace(/[&<>"]/g, (c) => ({ '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' })[c] ?? c);

export const svg = (width: number, height: number, title: string, body: string): string =>
  `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" role="img" ${FONT}>` +
  `<title>${escape(title)}</title>\n${body}</svg>\n`;

export const label = (x: number, y: number, text: string, anchor: 'start' | 'middle' | 'end' = 'start'): string =>
  `<text x="${x.toFixed(1)}" y="${y.toFixed(1)}" fill="${INK}" text-anchor="${anchor}">${escape(text)}</text>\n`;

export const line = (x1: number, y1: number, x2: number, y2: number, colour: string = INK, width = 1): string =>
  `<line x1="${x1.toFixed(1)}" y1="${y1.toFixed(1)}" x2="${x2.toFixed(1)}" y2="${y2.toFixed(1)}" stroke="${colour}" stroke-width="${width}"/>\n`;

const ROW = 22;
const NAMES = 390;
const PLOT = 320;

/** One bar per figure and per baseline, with the interval of the figure. Figures without a number are left out. */
export function bars(title: string, figures: readonly Figure[]): string {
  const rows = figures.flatMap(({ figure, value, interval, baselines }) =>
    value === null
      ? []
      : [
          { name: figure, value, interval, colour: hue(0) },
          ...Object.entries(baselines).map(([name, base]) => ({
            name: `· ${name}`,
            value: base,
            interval: null,
            colour: INK,
          })),
        ],
  );
  const reach = Math.max(1e-9, ...rows.map(({ value, interval }) => Math.max(value, interval?.[1] ?? value)));
  const lowest = Math.min(0, ...rows.map(({ value, interval }) => Math.min(value, interval?.[0] ?? value)));
  const x = (value: number): number => NAMES + ((value - lowest) / (reach - lowest)) * PLOT;
  const body = rows.map(({ name, value, interval, colour }, r) => {
    const y = 34 + r * ROW;
    const [left, right] = [Math.min(x(0), x(value)), Math.max(x(0), x(value))];
    return (
      label(NAMES - 8, y + 11, name, 'end') +
      `<rect x="${left.toFixed(1)}" y="${y}" width="${Math.max(1, right - left).toFixed(1)}" height="14" fill="${colour}" opacity="0.75"/>\n` +
      (interval ? line(x(interval[0]), y + 7, x(interval[1]), y + 7, INK, 2) : '') +
      label(NAMES + PLOT + 10, y + 11, shown(value))
    );
  });
  const height = 44 + rows.length * ROW;
  return svg(NAMES + PLOT + 70, height, title, label(8, 18, title) + line(x(0), 28, x(0), height - 8) + body.join(''));
}

const LEFT = 60;
const WIDE = 460;
const TALL = 300;

/** Points over two axes, joined in the order given within each group. */
export function plot({ title, x, y, points }: Curve): string {
  const span = (values: readonly number[]): { low: number; high: number } => {
    const [low, high] = [Math.min(...values), Math.max(...values)];
    const margin = (high - low || 1) * 0.08;
    return { low: low - margin, high: high + margin };
  };
  const [across, up] = [span(points.map((p) => p.x)), span(points.map((p) => p.y))];
  const px = (value: number): number => LEFT + ((value - across.low) / (across.high - across.low)) * WIDE;
  const py = (value: number): number => 30 + TALL - ((value - up.low) / (up.high - up.low)) * TALL;
  const groups = [...new Set(points.map(({ group }) => group))];
  const body = groups.map((group, g) => {
    const own = points.filter((point) => point.group === group);
    const colour = hue(g);
    const path = own.map((p) => `${px(p.x).toFixed(1)},${py(p.y).toFixed(1)}`).join(' ');
    return (
      `<polyline points="${path}" fill="none" stroke="${colour}" stroke-width="1.5"/>\n` +
      own
        .map(
          (p) =>
            `<circle cx="${px(p.x).toFixed(1)}" cy="${py(p.y).toFixed(1)}" r="4" fill="${colour}"><title>${escape(`${group} ${p.label}: ${shown(p.x)}, ${shown(p.y)}`)}</title></circle>\n` +
            label(px(p.x) + 6, py(p.y) - 6, p.label),
        )
        .join('') +
      `<rect x="${LEFT + WIDE + 16}" y="${30 + g * 18}" width="10" height="10" fill="${colour}"/>\n` +
      label(LEFT + WIDE + 32, 39 + g * 18, group)
    );
  });
  const ticks = [0, 0.25, 0.5, 0.75, 1].flatMap((share) => {
    const [a, b] = [across.low + share * (across.high - across.low), up.low + share * (up.high - up.low)];
    return [label(px(a), 30 + TALL + 16, shown(a), 'middle'), label(LEFT - 6, py(b) + 4, shown(b), 'end')];
  });
  const axes = line(LEFT, 30, LEFT, 30 + TALL) + line(LEFT, 30 + TALL, LEFT + WIDE, 30 + TALL);
  return svg(
    LEFT + WIDE + 190,
    TALL + 76,
    title,
    label(8, 18, title) +
      axes +
      ticks.join('') +
      label(LEFT + WIDE / 2, 30 + TALL + 36, x, 'middle') +
      label(LEFT + 6, 42, y) +
      body.join(''),
  );
}

/** Three significant digits, without an exponent for what people read. */
export function shown(value: number): string {
  if (!Number.isFinite(value)) return '–';
  const digits = Math.abs(value) >= 100 ? 0 : Math.abs(value) >= 10 ? 1 : Math.abs(value) >= 1 ? 2 : 3;
  return value.toFixed(digits);
}
