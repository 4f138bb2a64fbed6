// What a search did, from the entries of its trace: the tree of RAIN, or rounds of candidates. Pure; view/search.tsx draws it.
import type { SearchTrace } from '@trimtab/client';

export interface TreeNode {
  readonly id: number;
  readonly tokens: readonly number[];
  readonly prior: number;
  visits: number;
  /** Mean of what was found below, in −1 … 1; null before the first look. */
  value: number | null;
  isSaid: boolean;
  readonly children: TreeNode[];
}

export interface Candidate {
  readonly tokens: readonly number[];
  /** By what they were compared. */
  readonly figures: Readonly<Record<string, number>>;
  readonly isChosen: boolean;
}

export interface Round {
  /** Committed tokens before it; null where there is one round. */
  readonly at: number | null;
  readonly candidates: readonly Candidate[];
}

export interface Story {
  readonly tree: TreeNode | null;
  readonly rounds: readonly Round[];
  /** All nodes, the root included. */
  readonly nodes: number;
}

const FIGURES = ['score', 'value', 'logprob', 'chance'] as const;

export function storyOf(entries: readonly SearchTrace[]): Story {
  const nodes = new Map<number, TreeNode>();
  const rounds: Round[] = [];
  const nodeOf = (id: number, tokens: readonly number[] = [], prior = 1): TreeNode => {
    const known = nodes.get(id) ?? { id, tokens, prior, visits: 0, value: null, isSaid: false, children: [] };
    nodes.set(id, known);
    return known;
  };
  for (const entry of entries) {
    if (entry.event === 'expand') {
      const parent = nodeOf(numberOf(entry['node']));
      for (const child of listOf(entry['children']))
        parent.children.push(nodeOf(numberOf(child['node']), numbersOf(child['tokens']), numberOf(child['prior'])));
    } else if (entry.event === 'look') {
      const value = numberOf(entry['value']);
      for (const id of numbersOf(entry['path'])) {
        const node = nodeOf(id);
        node.visits += 1;
        node.value = (node.value ?? 0) + (value - (node.value ?? 0)) / node.visits;
      }
    } else if (entry.event === 'say') nodeOf(numberOf(entry['node'])).isSaid = true;
    else if (Array.isArray(entry['candidates'])) rounds.push(roundOf(entry));
  }
  return { tree: nodes.get(0) ?? null, rounds, nodes: nodes.size };
}

function roundOf(entry: SearchTrace): Round {
  const candidates = listOf(entry['candidates']);
  const chosen = typeof entry['chosen'] === 'number' ? entry['chosen'] : likeliest(candidates);
  return {
    at: typeof entry['at'] === 'number' ? entry['at'] : null,
    candidates: candidates.map((candidate, index) => ({
      tokens: numbersOf(candidate['tokens']),
      figures: Object.fromEntries(
        FIGURES.flatMap((name) => (typeof candidate[name] === 'number' ? [[name, candidate[name]]] : [])),
      ),
      isChosen: index === chosen,
    })),
  };
}

/** Where the trace does not say it: the one with the highest score. */
function likeliest(candidates: readonly Entry[]): number {
  const scores = candidates.map(({ score }) => (typeof score === 'number' ? score : -Infinity));
  return scores.indexOf(Math.max(...scores));
}

type Entry = Readonly<Record<string, unknown>>;

const numberOf = (value: unknown): number => (typeof value === 'number' ? value : NaN);
const numbersOf = (value: unknown): number[] => (Array.isArray(value) ? value.map(numberOf) : []);
const listOf = (value: unknown): Entry[] =>
  Array.isArray(value) ? value.filter((item): item is Entry => typeof item === 'object' && item !== null) : [];
