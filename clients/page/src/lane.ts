// A lane: a deployment or a spec of one's own, what the server says of it, and its answer. Dials act on what is running and on what comes next.
import type { ChatRequest, ContentPart, Decoding, Explanation } from '@trimtab/client';
import { useCallback, useEffect, useRef, useState } from 'preact/hooks';
import { Decode } from './decode.js';
import { merged, patchOf, type Dial } from './dials.js';
import { idle, type Run } from './run.js';
import { client, wordsOf } from './server.js';

export interface Ask {
  readonly prompt: string;
  /** A data: URI, for models that see. */
  readonly picture: string | null;
  readonly temperature: number;
  readonly maxTokens: number;
  readonly seed: number;
}

export interface Lane {
  readonly model: string;
  /** The effective spec as it will be asked for. */
  readonly spec: unknown;
  readonly isEdited: boolean;
  readonly explanation: Explanation | null;
  /** Why the spec cannot be decoded, in the server's words. */
  readonly problem: string | null;
  /** What became of the last turn of a dial. */
  readonly notice: string | null;
  readonly run: Run;
  choose(model: string): void;
  edit(spec: unknown): void;
  turn(dial: Dial, value: number): void;
  start(ask: Ask): void;
  stop(): void;
  requestFor(ask: Ask): ChatRequest;
}

const EXPLAIN_AFTER_MS = 200;

export function useLane(first: string): Lane {
  const [model, setModel] = useState(first);
  const [own, setOwn] = useState<{ readonly spec: unknown } | null>(null);
  const [explanation, setExplanation] = useState<Explanation | null>(null);
  const [problem, setProblem] = useState<string | null>(null);
  const [notice, setNotice] = useState<string | null>(null);
  const [run, setRun] = useState<Run>(idle);
  const decode = useRef<Decode | null>(null);

  useEffect(() => {
    let isCurrent = true;
    const explain = async (): Promise<void> => {
      try {
        const told = await (own ? client.explain(own.spec as Decoding, { model }) : client.explain(model));
        if (!isCurrent) return;
        setExplanation(told);
        setProblem(null);
      } catch (error) {
        if (isCurrent) setProblem(wordsOf(error));
      }
    };
    const timer = setTimeout(() => void explain(), own ? EXPLAIN_AFTER_MS : 0);
    return () => {
      isCurrent = false;
      clearTimeout(timer);
    };
  }, [model, own]);

  const spec = own?.spec ?? specOf(explanation, model);
  const requestFor = useCallback(
    ({ prompt, picture, temperature, maxTokens, seed }: Ask): ChatRequest => ({
      model,
      messages: [{ role: 'user', content: picture === null ? prompt : withPicture(prompt, picture) }],
      temperature,
      max_tokens: maxTokens,
      seed,
      decoding_trace: true,
      ...(own ? { decoding: own.spec as Decoding } : {}),
    }),
    [model, own],
  );

  return {
    model,
    spec,
    isEdited: own !== null,
    explanation,
    problem,
    notice,
    run,
    choose: (name) => {
      decode.current?.stop();
      setModel(name);
      setOwn(null);
      setNotice(null);
      setRun(idle);
    },
    edit: (changed) => setOwn({ spec: changed }),
    turn: ({ path }, value) => {
      const patch = patchOf(spec, path, value);
      setOwn({ spec: merged(spec, patch) });
      setNotice(null);
      decode.current?.update(patch).catch((error: unknown) => setNotice(`With the next answer: ${wordsOf(error)}`));
    },
    start: (ask) => {
      decode.current?.stop();
      setNotice(null);
      const current: Decode = new Decode(requestFor(ask), (changed) => {
        if (decode.current === current) setRun(changed);
      });
      decode.current = current;
    },
    stop: () => decode.current?.stop(),
    requestFor,
  };
}

const withPicture = (prompt: string, picture: string): readonly ContentPart[] => [
  { type: 'image_url', image_url: { url: picture } },
  { type: 'text', text: prompt },
];

/** A model's name stands for its plain decoding. */
function specOf(explanation: Explanation | null, model: string): unknown {
  const effective = explanation?.effective ?? null;
  return typeof effective === 'string'
    ? { method: 'plain', model: effective }
    : (effective ?? { method: 'plain', model });
}
