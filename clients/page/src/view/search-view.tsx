// What a search did, as it does it: the tree of RAIN, or the candidates of each decision.
import type { SearchTrace } from '@trimtab/client';
import { useEffect, useMemo, useState } from 'preact/hooks';
import { textOf } from '../server.js';
import { storyOf, type Round, type TreeNode } from '../story.js';

interface Props {
  readonly story: readonly SearchTrace[];
  readonly isCut: boolean;
  /** Whose tokens these are. */
  readonly model: string;
}

export function SearchView({ story: entries, isCut, model }: Props) {
  const story = useMemo(() => storyOf(entries), [entries]);
  if (!story.tree && story.rounds.length === 0) return null;
  return (
    <details class="search" open>
      <summary>
        {story.tree
          ? `The tree: ${story.nodes} nodes`
          : `${story.rounds.length} ${story.rounds.length === 1 ? 'decision' : 'decisions'}`}
        {isCut && ', of which the server tells no more'}
      </summary>
      {story.tree && <Tree node={story.tree} model={model} />}
      {story.rounds.map((round, index) => (
        <Candidates key={index} round={round} model={model} />
      ))}
    </details>
  );
}

function Tree({ node, model }: { readonly node: TreeNode; readonly model: string }) {
  // Of what was never looked at, only how much there is.
  const seen = node.children.filter(({ visits, isSaid }) => visits > 0 || isSaid);
  const unseen = node.children.length - seen.length;
  return (
    <ul class="tree">
      {seen.map((child) => (
        <li key={child.id}>
          <span class={child.isSaid ? 'node said' : 'node'} style={{ '--worth': worth(child.value) }}>
            <Words tokens={child.tokens} model={model} />
            <small>
              {child.visits} {child.visits === 1 ? 'visit' : 'visits'}, value{' '}
              {child.value === null ? '–' : child.value.toFixed(2)}, prior {child.prior.toFixed(2)}
            </small>
          </span>
          {child.children.length > 0 && <Tree node={child} model={model} />}
        </li>
      ))}
      {unseen > 0 && <li class="unseen">{unseen} more, not looked at</li>}
    </ul>
  );
}

/** −1 … 1 → 0 … 1. */
const worth = (value: number | null): string => (((value ?? 0) + 1) / 2).toFixed(3);

function Candidates({ round: { at, candidates }, model }: { readonly round: Round; readonly model: string }) {
  const figures = Object.keys(candidates[0]?.figures ?? {});
  const areAlike = candidates.length > 1 && new Set(candidates.map(({ tokens }) => tokens.join())).size === 1;
  return (
    <table class="candidates">
      {(at !== null || areAlike) && (
        <caption>
          {at !== null && `after ${at} tokens`}
          {areAlike && ' all candidates are the same: raise the temperature'}
        </caption>
      )}
      <thead>
        <tr>
          <th scope="col">candidate</th>
          {figures.map((name) => (
            <th key={name} scope="col" class="number">
              {name}
            </th>
          ))}
        </tr>
      </thead>
      <tbody>
        {candidates.map(({ tokens, figures: own, isChosen }, index) => (
          <tr key={index} class={isChosen ? 'chosen' : ''}>
            <td>
              <Words tokens={tokens} model={model} />
            </td>
            {figures.map((name) => (
              <td key={name} class="number">
                {own[name]?.toFixed(2) ?? ''}
              </td>
            ))}
          </tr>
        ))}
      </tbody>
    </table>
  );
}

function Words({ tokens, model }: { readonly tokens: readonly number[]; readonly model: string }) {
  const [text, setText] = useState<string | null>(null);
  const key = tokens.join();
  useEffect(() => {
    let isCurrent = true;
    textOf(model, tokens).then(
      (told) => isCurrent && setText(told),
      () => isCurrent && setText(`tokens ${key}`),
    );
    return () => {
      isCurrent = false;
    };
  }, [model, key]);
  return <span class="words">{text === '' ? '(the end)' : (text ?? '…')}</span>;
}
