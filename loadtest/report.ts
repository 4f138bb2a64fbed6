// The report of a load test: one HTML page without scripts, with its charts as SVG inside. Pure: results in, text out.
import { escape, hue, INK, label, line, svg } from './scoreboard/chart.js';
import type { MethodCost } from './cost.js';

export type Result = Readonly<Record<string, unknown>>;

export interface Report {
  readonly title: string;
  /** Pairs of a name and what it was: the server, the machine, the load. */
  readonly facts: readonly (readonly [string, string])[];
  /** Of a sweep, by rising rate; of one run, one. */
  readonly results: readonly Result[];
  readonly costs: readonly MethodCost[];
}

interface Series {
  readonly name: string;
  readonly points: readonly (readonly [x: number, y: number])[];
}

const WIDE = 420;
const TALL = 220;
const LEFT = 56;

const numeric = (value: unknown): number => (typeof value === 'number' ? value : NaN);
const shown = (value: number): string => String(Number(value.toPrecision(3)));

/** Lines over one x axis, from zero on. */
export function lineChart(title: string, xName: string, yName: string, series: readonly Series[]): string {
  const points = series.flatMap((one) => one.points).filter(([x, y]) => Number.isFinite(x) && Number.isFinite(y));
  const right = Math.max(1e-9, ...points.map(([x]) => x)) * 1.05;
  const top = Math.max(1e-9, ...points.map(([, y]) => y)) * 1.1;
  const px = (x: number): number => LEFT + (x / right) * WIDE;
  const py = (y: number): number => 34 + TALL - (y / top) * TALL;
  const grid = [0, 0.25, 0.5, 0.75, 1].map(
    (part) =>
      line(LEFT, py(top * part), LEFT + WIDE, py(top * part), INK, 0.3) +
      label(LEFT - 6, py(top * part) + 4, shown(top * part), 'end') +
      label(px(right * part), 34 + TALL + 16, shown(right * part), 'middle'),
  );
  const curves = series.map(({ name, points: own }, index) => {
    const drawn = own.filter(([x, y]) => Number.isFinite(x) && Number.isFinite(y));
    const path = drawn.map(([x, y]) => `${px(x).toFixed(1)},${py(y).toFixed(1)}`).join(' ');
    const dots = drawn.map(
      ([x, y]) => `<circle cx="${px(x).toFixed(1)}" cy="${py(y).toFixed(1)}" r="3" fill="${hue(index)}"/>`,
    );
    const key = `<rect x="${LEFT + WIDE + 14}" y="${40 + index * 20}" width="10" height="10" fill="${hue(index)}"/>`;
    return `<polyline points="${path}" fill="none" stroke="${hue(index)}" stroke-width="1.5"/>${dots.join('')}${key}${label(LEFT + WIDE + 30, 49 + index * 20, name)}`;
  });
  const names = label(8, 18, `${title} (${yName})`) + label(LEFT + WIDE, 34 + TALL + 32, xName, 'end');
  return svg(LEFT + WIDE + 130, TALL + 76, title, names + grid.join('') + curves.join('\n'));
}

/** Times the first; what failed has no bar. */
export function costChart(costs: readonly MethodCost[]): string {
  const reach = Math.max(1, ...costs.map(({ times_first: times }) => times).filter(Number.isFinite));
  const [names, plot, row] = [200, 320, 22];
  const bars = costs.map(({ model, times_first: times, ms_per_token: ms }, index) => {
    const y = 30 + index * row;
    const width = Number.isFinite(times) ? Math.max(1, (times / reach) * plot) : 0;
    const text = Number.isFinite(times) ? `${shown(times)} × · ${shown(ms)} ms a token` : 'failed';
    return `${label(names - 8, y + 11, model, 'end')}<rect x="${names}" y="${y}" width="${width.toFixed(1)}" height="14" fill="${hue(0)}" opacity="0.75"/>${label(names + width + 8, y + 11, text)}`;
  });
  return svg(
    names + plot + 170,
    40 + costs.length * row,
    'cost of alignment',
    label(8, 18, 'Cost of alignment: time per token against the first') + bars.join('\n'),
  );
}

/** The charts that are worth drawing for these results, by name. */
export function charts({ results, costs }: Pick<Report, 'results' | 'costs'>): Readonly<Record<string, string>> {
  const over = (key: string): (readonly [number, number])[] =>
    results.map((result) => [numeric(result['request_rate']), numeric(result[key])] as const);
  const rate = 'requests per second asked for';
  const percentiles = (name: string): Series[] =>
    ['median', 'p95', 'p99'].map((p) => ({ name: p, points: over(`${p}_${name}_ms`) }));
  const hasGoodput = results.some((result) => typeof result['request_goodput'] === 'number');
  return {
    ...(results.length > 1
      ? {
          ttft: lineChart('Time to first token', rate, 'ms', percentiles('ttft')),
          itl: lineChart('Gap between outputs', rate, 'ms', percentiles('itl')),
          throughput: lineChart('Answered', rate, 'requests per second', [
            { name: 'completed', points: over('request_throughput') },
            ...(hasGoodput ? [{ name: 'within limits', points: over('request_goodput') }] : []),
          ]),
          tokens: lineChart('Tokens', rate, 'output tokens per second', [
            { name: 'output', points: over('output_throughput') },
          ]),
        }
      : {}),
    ...(costs.length > 0 ? { cost: costChart(costs) } : {}),
  };
}

const columns = [
  'request_rate',
  'completed',
  'failed',
  'request_throughput',
  'request_goodput',
  'output_throughput',
  'median_ttft_ms',
  'p99_ttft_ms',
  'median_tpot_ms',
  'p99_tpot_ms',
  'median_itl_ms',
  'p99_itl_ms',
  'p99_e2el_ms',
];

const cell = (value: unknown): string =>
  typeof value === 'number'
    ? shown(value)
    : value === null || value === undefined
      ? '–'
      : escape(typeof value === 'string' ? value : JSON.stringify(value));

const tableOf = (head: readonly string[], rows: readonly (readonly unknown[])[]): string =>
  `<div class="wide"><table><thead><tr>${head.map((name) => `<th>${escape(name)}</th>`).join('')}</tr></thead><tbody>${rows
    .map((row) => `<tr>${row.map((value) => `<td>${cell(value)}</td>`).join('')}</tr>`)
    .join('\n')}</tbody></table></div>`;

const style = `:root{color-scheme:light dark}body{font:15px/1.5 system-ui,sans-serif;max-width:72rem;margin:2rem auto;padding:0 1rem}
svg{max-width:100%;height:auto}.charts{display:grid;grid-template-columns:repeat(auto-fit,minmax(24rem,1fr));gap:1rem}.wide{overflow-x:auto}table{border-collapse:collapse;font-variant-numeric:tabular-nums}
th,td{padding:.2rem .7rem;text-align:right;border-bottom:1px solid #8886}th:first-child,td:first-child{text-align:left}dt{font-weight:600;float:left;clear:left;width:9rem}`;

export function htmlReport(report: Report): string {
  const { title, facts, results, costs } = report;
  const costRows = costs.map((cost) => [
    cost.model,
    cost.times_first,
    cost.ms_per_token,
    cost.ttft_ms,
    Object.entries(cost.rows_per_token ?? {})
      .map(([model, rows]) => `${model} ${shown(rows)}`)
      .join(', '),
    cost.error ?? '',
  ]);
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>${escape(title)}</title><style>${style}</style></head>
<body><h1>${escape(title)}</h1>
<dl>${facts.map(([name, value]) => `<dt>${escape(name)}</dt><dd>${escape(value)}</dd>`).join('\n')}</dl>
<div class="charts">${Object.values(charts(report)).join('\n')}</div>
${
  results.length > 0
    ? `<h2>Load</h2>${tableOf(
        columns,
        results.map((result) => columns.map((key) => result[key])),
      )}`
    : ''
}
${costs.length > 0 ? `<h2>Cost of alignment</h2>${tableOf(['deployment', '× first', 'ms a token', 'first token ms', 'rows per token', 'error'], costRows)}` : ''}
<p>Definitions: docs/loadtest.md. Latencies count from the moment a request was due.</p>
</body></html>
`;
}
