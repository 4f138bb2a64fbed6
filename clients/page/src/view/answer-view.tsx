// The answer: tokens coloured by how far they were steered, each a button that shows how it came about. Arrow keys go from token to token.
import { useEffect, useRef, useState } from 'preact/hooks';
import type { Piece, Run } from '../run.js';
import { TokenCard } from './token-card.js';

/** Nats at which the colour is full. */
const FULL = 3;

export function AnswerView({ run }: { readonly run: Run }) {
  const [chosen, setChosen] = useState<number | null>(null);
  const line = useRef<HTMLParagraphElement>(null);
  useEffect(() => setChosen(null), [run.startedMs]);
  const move = (by: number): void => {
    const next = Math.min(run.pieces.length - 1, Math.max(0, (chosen ?? 0) + by));
    setChosen(next);
    line.current?.querySelector<HTMLElement>(`[data-token="${next}"]`)?.focus();
  };
  const piece = chosen === null ? null : (run.pieces[chosen] ?? null);
  return (
    <>
      <p
        ref={line}
        class="answer"
        aria-live="polite"
        aria-busy={run.phase === 'running' || run.phase === 'waiting'}
        onKeyDown={({ key }) => (key === 'ArrowRight' ? move(1) : key === 'ArrowLeft' ? move(-1) : undefined)}
      >
        {run.phase === 'idle' && <span class="hint">The answer comes here.</span>}
        {run.phase === 'waiting' && <span class="hint">…</span>}
        {run.pieces.map((each, at) => (
          <>
            {run.turns.some((turn) => turn.at === at) && <TurnMark formula={turnAt(run, at)} />}
            <Token
              key={at}
              piece={each}
              at={at}
              isChosen={at === chosen}
              onChoose={() => setChosen(at === chosen ? null : at)}
            />
          </>
        ))}
        {run.phase === 'stopped' && <span class="hint"> (stopped)</span>}
      </p>
      {run.failure !== null && (
        <p class="problem" role="alert">
          {run.failure}
        </p>
      )}
      {piece?.trace && <TokenCard trace={piece.trace} onClose={() => setChosen(null)} />}
    </>
  );
}

const turnAt = (run: Run, at: number): string => run.turns.findLast((turn) => turn.at === at)?.formula ?? '';

function TurnMark({ formula }: { readonly formula: string }) {
  return (
    <span class="turn" title={`from here: ${formula}`} aria-label={`from here: ${formula}`}>
      ⟋
    </span>
  );
}

interface TokenProps {
  readonly piece: Piece;
  readonly at: number;
  readonly isChosen: boolean;
  readonly onChoose: () => void;
}

function Token({ piece: { text, trace }, at, isChosen, onChoose }: TokenProps) {
  if (!trace) return <span>{text}</span>;
  const share = Math.min(1, Math.sqrt(Math.max(0, trace.kl) / FULL));
  return (
    <span
      role="button"
      tabIndex={isChosen || at === 0 ? 0 : -1}
      class={isChosen ? 'token chosen' : 'token'}
      data-token={at}
      aria-pressed={isChosen}
      style={{ '--steered': share.toFixed(3) }}
      title={`${trace.kl.toFixed(2)} nats`}
      onClick={onChoose}
      onKeyDown={(event) => {
        if (event.key !== 'Enter' && event.key !== ' ') return;
        event.preventDefault();
        event.stopPropagation();
        onChoose();
      }}
    >
      {text}
    </span>
  );
}
