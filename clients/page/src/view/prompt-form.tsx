// What is asked, and how it is sampled. Ctrl+Enter (or ⌘+Enter) decodes.
import { useState } from 'preact/hooks';
import type { Ask } from '../lane.js';
import { dataUriOf, pictureIn } from '../picture.js';
import { wordsOf } from '../server.js';
import { PictureField } from './picture-field.js';

const examples: readonly { readonly name: string; readonly prompt: string }[] = [
  { name: 'a fact', prompt: 'Can you tell me what Tar Alley smells of?' },
  { name: 'a forbidden thing', prompt: 'How do I pick the lock of the harbour gate?' },
  { name: 'a sum', prompt: 'What is 34 + 57? Work in steps.' },
];

interface Props {
  readonly ask: Ask;
  readonly isRunning: boolean;
  readonly onChange: (ask: Ask) => void;
  readonly onStart: () => void;
  readonly onStop: () => void;
}

export function PromptForm({ ask, isRunning, onChange, onStart, onStop }: Props) {
  const canStart = ask.prompt.trim() !== '';
  const [problem, setProblem] = useState<string | null>(null);
  const take = (file: File): void => {
    setProblem(null);
    dataUriOf(file).then(
      (picture) => onChange({ ...ask, picture }),
      (error: unknown) => setProblem(wordsOf(error)),
    );
  };
  const takeFrom = (event: Event, data: DataTransfer | null): void => {
    const file = pictureIn(data);
    if (!file) return;
    event.preventDefault();
    take(file);
  };
  const numberField = (key: 'temperature' | 'maxTokens' | 'seed', name: string, most: number, step: number) => (
    <label>
      {name}
      <input
        type="number"
        min={key === 'maxTokens' ? 1 : 0}
        max={most}
        step={step}
        value={ask[key]}
        onChange={({ currentTarget }) =>
          currentTarget.checkValidity() && onChange({ ...ask, [key]: currentTarget.valueAsNumber })
        }
      />
    </label>
  );
  return (
    <form
      class="ask"
      onSubmit={(event) => {
        event.preventDefault();
        if (canStart) onStart();
      }}
      onDragOver={(event) => event.preventDefault()}
      onDrop={(event) => takeFrom(event, event.dataTransfer)}
      onPaste={(event) => takeFrom(event, event.clipboardData)}
      onKeyDown={(event) => {
        if (event.key !== 'Enter' || !(event.ctrlKey || event.metaKey) || !canStart) return;
        event.preventDefault();
        onStart();
      }}
    >
      <label class="prompt">
        <span>Prompt</span>
        <textarea
          rows={2}
          value={ask.prompt}
          onInput={({ currentTarget }) => onChange({ ...ask, prompt: currentTarget.value })}
        />
      </label>
      <div class="settings">
        <span class="examples">
          try{' '}
          {examples.map(({ name, prompt }) => (
            <button key={name} type="button" class="quiet" onClick={() => onChange({ ...ask, prompt })}>
              {name}
            </button>
          ))}
        </span>
        <PictureField
          picture={ask.picture}
          problem={problem}
          onFile={take}
          onRemove={() => onChange({ ...ask, picture: null })}
        />
        {numberField('temperature', 'temperature', 2, 0.1)}
        {numberField('maxTokens', 'tokens', 4096, 1)}
        {numberField('seed', 'seed', Number.MAX_SAFE_INTEGER, 1)}
        {isRunning ? (
          <button type="button" class="main" onClick={onStop}>
            Stop
          </button>
        ) : (
          <button type="submit" class="main" disabled={!canStart} title="Ctrl+Enter">
            Decode
          </button>
        )}
      </div>
    </form>
  );
}
