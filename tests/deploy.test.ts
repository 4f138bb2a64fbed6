// The files in deploy/: every metric that a dashboard or an alert names is one that the server exports, with labels that it has; the unit and
// the Dockerfile hold together with what is in the repository; the container's health check works.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { parseConfigFile } from '../server/config.js';
import { root } from './support/served.js';
import { chat, harness, hello } from './server/http/support.js';

const read = (name: string): string => readFileSync(join(root, 'deploy', name), 'utf8');

/** Our own metrics in an expression; what follows one in braces are its labels. */
function namesIn(expression: string): { readonly name: string; readonly labels: readonly string[] }[] {
  return [...expression.matchAll(/\b((?:vllm:|trimtab_|process_)\w+)(?:\{([^}]*)\})?/g)].map(
    ([, name = '', labels = '']) => ({
      name,
      labels: [...labels.matchAll(/(\w+)\s*(?:=~|!~|!=|=)/g)].map(([, label = '']) => label),
    }),
  );
}

interface Exported {
  readonly type: string;
  readonly labels: ReadonlySet<string>;
}

describe('dashboards and alerts', () => {
  const exported = new Map<string, Exported>();
  beforeAll(async () => {
    const { app } = await harness(hello);
    await app.inject({ method: 'POST', url: '/v1/chat/completions', payload: chat() });
    await app.inject({ method: 'POST', url: '/v1/chat/completions', payload: chat({ max_tokens: 1e6 }) });
    const { body } = await app.inject('/metrics');
    await app.close();
    for (const [, family = '', type = ''] of body.matchAll(/^# TYPE (\S+) (\S+)$/gm)) {
      const names = type === 'histogram' ? ['_bucket', '_sum', '_count'].map((end) => family + end) : [family];
      for (const name of names) {
        const series = body.split('\n').filter((line) => line.startsWith(`${name}{`));
        const labels = series.flatMap((line) => [...line.matchAll(/(\w+)="/g)].map(([, label = '']) => label));
        exported.set(name, { type, labels: new Set(labels) });
      }
    }
  });

  const dashboard = JSON.parse(read('grafana/trimtab.json')) as {
    panels: {
      id: number;
      type: string;
      title: string;
      targets?: { expr: string }[];
      gridPos: { x: number; w: number };
    }[];
    templating: { list: { name: string; query: unknown }[] };
  };
  const fromDashboard = dashboard.panels.flatMap(({ title, targets = [] }) =>
    targets.map(({ expr }) => [title, expr] as const),
  );
  const fromVariables = dashboard.templating.list.map(
    ({ name, query }) => [name, JSON.stringify(query).replaceAll('\\"', '"')] as const,
  );
  const alerts = read('prometheus/alerts.yml');
  const fromAlerts = [...alerts.matchAll(/- alert: (\w+)\n\s+expr: (.*)/g)].map(
    ([, name = '', expr = '']) => [name, expr] as const,
  );

  it('are there, and read', () => {
    expect(fromDashboard.length).toBeGreaterThan(30);
    expect(fromAlerts.length).toBe(alerts.match(/- alert:/g)?.length);
    expect(dashboard.templating.list.map(({ name }) => name)).toEqual(['datasource', 'instance', 'model_name']);
    expect(new Set(dashboard.panels.map(({ id }) => id)).size).toBe(dashboard.panels.length);
    expect(dashboard.panels.every(({ gridPos: { x, w } }) => x + w <= 24)).toBe(true);
    expect(exported.size).toBeGreaterThan(40);
  });

  it('name metrics that the server exports, with labels that these have', () => {
    // Prometheus adds these.
    const added = new Set(['instance', 'job', 'le']);
    const wrong = [...fromDashboard, ...fromVariables, ...fromAlerts].flatMap(([where, expression]) =>
      namesIn(expression).flatMap(({ name, labels }) => {
        const metric = exported.get(name);
        if (metric === undefined) return [`${where}: ${name}`];
        const unknown = labels.filter(
          (label) => !added.has(label) && metric.labels.size > 0 && !metric.labels.has(label),
        );
        return unknown.map((label) => `${where}: ${name}{${label}}`);
      }),
    );
    expect(wrong).toEqual([]);
    // It would find one.
    expect(exported.has('vllm:gpu_cache_usage_perc')).toBe(false);
  });

  it('take rates of counters and quantiles of histograms only', () => {
    for (const [where, expression] of [...fromDashboard, ...fromAlerts]) {
      for (const [, name = ''] of expression.matchAll(/(?:rate|increase)\(((?:vllm:|trimtab_)\w+)/g))
        expect([where, name, exported.get(name)?.type]).toEqual([
          where,
          name,
          expect.stringMatching(/^(counter|histogram)$/),
        ]);
      for (const [, name = ''] of expression.matchAll(/histogram_quantile\([^)]*?((?:vllm:|trimtab_)\w+)/g))
        expect(name).toMatch(/_bucket$/);
      expect(expression.split('(').length).toBe(expression.split(')').length);
    }
  });

  it('Prometheus loads the rules that are there', () => {
    const [, file = ''] = /rule_files:\n\s+- (\S+)/.exec(read('prometheus/prometheus.yml')) ?? [];
    expect(existsSync(join(root, 'deploy/prometheus', file))).toBe(true);
  });
});

interface Instruction {
  readonly name: string;
  readonly rest: string;
}

/** The instructions of a Dockerfile, continued lines joined. */
function instructions(text: string): Instruction[] {
  const lines = text.split('\n').filter((line) => !line.startsWith('#'));
  return lines
    .join('\n')
    .replaceAll(/\\\n\s*/g, '')
    .split('\n')
    .filter((line) => line.trim() !== '')
    .map((line) => {
      const [name = '', ...rest] = line.split(' ');
      return { name, rest: rest.join(' ').trim() };
    });
}

describe('the Dockerfile', () => {
  const all = instructions(read('Dockerfile'));
  const stages = all.flatMap(({ name, rest }) =>
    name === 'FROM' ? [/(\S+) AS (\S+)/.exec(rest)?.slice(1) ?? []] : [],
  );
  const scripts = (JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { scripts: Record<string, string> })
    .scripts;

  it('has known instructions, and stages that build on each other', () => {
    const known = [
      'FROM',
      'WORKDIR',
      'COPY',
      'RUN',
      'ENV',
      'USER',
      'VOLUME',
      'EXPOSE',
      'HEALTHCHECK',
      'STOPSIGNAL',
      'ENTRYPOINT',
      'CMD',
    ];
    expect(all.map(({ name }) => name).filter((name) => !known.includes(name))).toEqual([]);
    const names = stages.map(([, name]) => name);
    expect(names).toEqual(['build', 'base', 'gpu', 'cpu']);
    for (const { name, rest } of all) {
      const from = /--from=(\S+)/.exec(rest)?.[1];
      if (name === 'COPY' && from !== undefined) expect(names).toContain(from);
      for (const [, script = ''] of rest.matchAll(/npm run (\w+)/g)) expect(scripts).toHaveProperty(script);
    }
  });

  it('copies what is there, and every image ends as a user without rights', () => {
    const copied = all.flatMap(({ name, rest }) => {
      if (name !== 'COPY' || rest === '. .') return [];
      const words = rest.split(' ').filter((word) => !word.startsWith('--'));
      return words.slice(0, -1).map((word) => word.replace('/app/', ''));
    });
    const made = ['dist', 'node_modules'];
    for (const path of copied)
      expect([path, made.includes(path) || existsSync(join(root, path))]).toEqual([path, true]);
    let user = 'root';
    const last: string[] = [];
    for (const { name, rest } of all) {
      if (name === 'FROM') {
        last.push(user);
        user = rest.startsWith('base') ? 'node' : 'root';
      }
      if (name === 'USER') user = rest;
    }
    expect([...last.slice(2), user]).toEqual(['node', 'node', 'node']);
  });

  it('its health check tells a living server from none', async () => {
    const check = all.find(({ name }) => name === 'HEALTHCHECK')?.rest ?? '';
    const [command = '', ...args] = JSON.parse(check.slice(check.indexOf('['))) as string[];
    const run = async (port: number): Promise<number> => {
      const child = spawn(command, args, { env: { PATH: process.env['PATH'], PORT: String(port) }, stdio: 'ignore' });
      return ((await once(child, 'exit')) as [number])[0];
    };
    const { app } = await harness(hello);
    await app.listen({ port: 0, host: '127.0.0.1' });
    const { port } = app.server.address() as AddressInfo;
    expect(await run(port)).toBe(0);
    await app.close();
    expect(await run(port)).toBe(1);
  });
});

describe('the systemd unit', () => {
  const unit = read('trimtab.service');
  const value = (key: string): string | undefined => new RegExp(`^${key}=(.*)$`, 'm').exec(unit)?.[1];
  it('starts what is built, waits longer than the drain, and is confined', () => {
    const [, script = ''] = /\/opt\/trimtab\/(dist\/\S+)/.exec(value('ExecStart') ?? '') ?? [];
    expect(existsSync(join(root, script.replace('dist/', '').replace('.js', '.ts')))).toBe(true);
    expect(Number(value('TimeoutStopSec')) * 1000).toBeGreaterThan(
      parseConfigFile('none', { models: {} }).limits.drainTimeoutMs + 5000,
    );
    expect(value('DynamicUser')).toBe('yes');
    expect([value('NoNewPrivileges'), value('ProtectSystem'), value('CapabilityBoundingSet')]).toEqual([
      'yes',
      'strict',
      '',
    ]);
    expect(value('MemoryDenyWriteExecute')).toBeUndefined();
    const lines = unit.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
    expect(lines.filter((line) => !/^(\[\w+\]|[A-Z]\w+=.*)$/.test(line))).toEqual([]);
  });
});
