// One lane: who decodes, by which formula and dials; the answer; what it took.
import type { MethodDescription, Model } from '@trimtab/client';
import { useState } from 'preact/hooks';
import { dialsOf } from '../dials.js';
import type { Ask, Lane } from '../lane.js';
import { speedOf } from '../run.js';
import { AnswerView } from './answer-view.js';
import { CopyMenu } from './copy-menu.js';
import { DialView } from './dial-view.js';
import { SearchView } from './search-view.js';
import { SpecEditor } from './spec-editor.js';

interface Props {
  readonly name: string;
  readonly lane: Lane;
  readonly models: readonly Model[];
  readonly methods: readonly MethodDescription[];
  readonly ask: Ask;
}

export function LaneView({ name, lane, models, methods, ask }: Props) {
  const [isComposing, setComposing] = useState(false);
  const { explanation, problem, notice, run, spec } = lane;
  const dials = dialsOf(spec, methods);
  return (
    <section class="lane" aria-label={name}>
      <div class="who">
        <select
          aria-label={`${name}: model or deployment`}
          value={lane.model}
          onChange={({ currentTarget }) => lane.choose(currentTarget.value)}
        >
          {(['deployment', 'model'] as const).map((kind) => (
            <optgroup key={kind} label={`${kind}s`}>
              {models
                .filter((model) => model.kind === kind)
                .map(({ id }) => (
                  <option key={id}>{id}</option>
                ))}
            </optgroup>
          ))}
        </select>
        {lane.isEdited && <span class="edited">changed</span>}
        <button type="button" class="quiet" aria-expanded={isComposing} onClick={() => setComposing(!isComposing)}>
          {isComposing ? 'Close the spec' : 'Compose'}
        </button>
        <CopyMenu request={lane.requestFor(ask)} effective={spec} />
      </div>
      <p class="formula" title={explanation?.method.summary ?? ''}>
        {explanation ? explanation.formula : '…'}
        {explanation?.search && <span class="over"> · {explanation.method.name} over it</span>}
      </p>
      {isComposing && <SpecEditor spec={spec} onEdit={(changed) => lane.edit(changed)} />}
      {problem && (
        <p class="problem" role="alert">
          {problem}
        </p>
      )}
      {dials.length > 0 && (
        <div class="dials">
          {dials.map((dial) => (
            <DialView key={dial.label} dial={dial} onTurn={(value) => lane.turn(dial, value)} />
          ))}
        </div>
      )}
      {notice && (
        <p class="notice" role="status">
          {notice}
        </p>
      )}
      <AnswerView run={run} />
      <SearchView story={run.story} isCut={run.isCut} model={explanation?.models[0] ?? lane.model} />
      <Figures lane={lane} />
    </section>
  );
}

function Figures({ lane: { run, explanation } }: { readonly lane: Lane }) {
  const { firstTextMs, tokensPerSecond, wholeMs } = speedOf(run, performance.now());
  const forwards = Object.entries(run.report?.forwards ?? {});
  const parts = [
    run.usage && `${run.usage.completion_tokens} tokens`,
    firstTextMs !== null && `first text after ${firstTextMs.toFixed(0)} ms`,
    wholeMs !== null && tokensPerSecond === null && `whole after ${wholeMs.toFixed(0)} ms`,
    tokensPerSecond !== null && `${tokensPerSecond.toFixed(0)} tokens/s`,
    run.finish !== null && `ended by ${run.finish}`,
    run.report?.speculation && `${run.report.speculation.accepted} of ${run.report.speculation.drafted} drafts stood`,
    forwards.length > 0 && `computed: ${forwards.map(([model, rows]) => `${model} ${rows}`).join(', ')}`,
  ].filter((part): part is string => typeof part === 'string');
  const price = Object.entries(explanation?.forwards_per_token ?? {});
  return (
    <p class="figures">
      {parts.length > 0
        ? parts.join(' · ')
        : price.length > 0 &&
          `a token takes ${price.map(([model, forwards_]) => `${forwards_} of ${model}`).join(', ')}`}
    </p>
  );
}
