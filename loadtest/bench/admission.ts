// What a decision of admission takes when the queue is full and the engine busy: from a request's arrival in the engine's thread to its
// place in the queue or its refusal. In one thread, on a random small model; the steered requests read three models each.
import { linear, logits, type Scores } from '../../decoders/expr.js';
import { runSearch } from '../../decoders/searches/index.js';
import { LogitKernels } from '../../kernels/logits/kernels.js';
import { Constraints } from '../../server/engine/constraint.js';
import { Engine } from '../../server/engine/engine.js';
import { MixedKernels } from '../../server/engine/mixed-kernels.js';
import { EngineModel } from '../../server/engine/model.js';
import { ReadCache } from '../../server/engine/reads.js';
import { AppError } from '../../server/errors.js';
import { quantile } from '../measure.js';
import { requestOf, settingsOf, workOf } from './in-process.js';
import { atMost, informs, type Row } from './rows.js';

const distributions: Readonly<Record<string, Scores>> = {
  plain: logits('base'),
  steered: linear([
    [1, logits('base')],
    [1, logits('tuned')],
    [-1, logits('reference')],
  ]),
};
const WAITING = 256;
const DECISIONS = 2000;
const WARM = 500;
const DECISIONS_PER_TICK = 20;

export async function benchAdmission(): Promise<Row[]> {
  const names = ['base', 'tuned', 'reference'] as const;
  const tiny = { shape: 'tiny', weights: 'f32' } as const;
  const settings = await settingsOf(Object.fromEntries(names.map((name) => [name, tiny])), 1);
  const models = new Map<string, EngineModel>();
  for (const model of settings.models)
    models.set(model.name, await EngineModel.load(model, settings, null, () => undefined));
  const kernels = new LogitKernels({ threads: 1 });
  const rows: Row[] = [];
  try {
    for (const [what, distribution] of Object.entries(distributions)) {
      // Everything that is estimated is; nothing is refused for it but by the last limit.
      const limits = { ...settings, maxWaiting: WAITING, stepMs: 25, waitMs: 1e9, firstTokenMs: 1e9 };
      const engine = new Engine(models, new MixedKernels(kernels, null), limits, {
        search: runSearch,
        text: { encode: () => new Int32Array(0) },
        askEndpoint: () => Promise.reject(new Error('there is no endpoint')),
        known: new ReadCache(),
        constraints: new Constraints(),
        failsWithScorer: true,
      });
      const work = workOf('tiny', distribution, 16, 400);
      for (let i = 0; i < limits.maxRows + WAITING; i++) {
        engine.submit(requestOf(work));
        if (i < limits.maxRows) await engine.tick();
      }
      engine.takeRefusals();
      const full = engine.stats();
      const tookMs: number[] = [];
      for (let i = 0; i < DECISIONS + WARM; i++) {
        // What runs is looked at anew after every tick.
        if (i % DECISIONS_PER_TICK === 0) await engine.tick();
        const request = requestOf(work);
        const started = performance.now();
        engine.submit(request);
        const refused = engine.takeRefusals();
        if (i >= WARM) tookMs.push(performance.now() - started);
        if (refused.length !== 1) throw new Error('the queue was not full');
      }
      const note = `${full.running} run, ${full.waiting} wait`;
      rows.push(atMost(`a decision, ${what}, p99`, quantile(tookMs, 0.99), 'ms', 0.1, note));
      rows.push(informs(`a decision, ${what}, p50`, quantile(tookMs, 0.5), 'ms', note));
      engine.abort(new AppError('cancelled', {}));
    }
  } finally {
    for (const model of models.values()) await model.release();
    await kernels.release();
  }
  return rows;
}
