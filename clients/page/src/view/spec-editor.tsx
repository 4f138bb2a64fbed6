// A spec written by hand. It is taken over while it is JSON; the server says what is wrong with it otherwise.
import { useEffect, useRef, useState } from 'preact/hooks';
import { wordsOf } from '../server.js';

interface Props {
  readonly spec: unknown;
  readonly onEdit: (spec: unknown) => void;
}

export function SpecEditor({ spec, onEdit }: Props) {
  const told = JSON.stringify(spec, null, 2);
  const [text, setText] = useState(told);
  const [problem, setProblem] = useState<string | null>(null);
  const sent = useRef(told);
  // Turned by a dial, or another deployment: not by this hand.
  useEffect(() => {
    if (told === sent.current) return;
    sent.current = told;
    setText(told);
    setProblem(null);
  }, [told]);
  const edit = (changed: string): void => {
    setText(changed);
    try {
      const parsed: unknown = JSON.parse(changed);
      sent.current = JSON.stringify(parsed, null, 2);
      setProblem(null);
      onEdit(parsed);
    } catch (error) {
      setProblem(wordsOf(error));
    }
  };
  return (
    <label class="spec">
      <span>The field “decoding”: a method, its members and numbers</span>
      <textarea
        rows={Math.min(24, text.split('\n').length)}
        spellcheck={false}
        value={text}
        onInput={({ currentTarget }) => edit(currentTarget.value)}
      />
      {problem && (
        <span class="problem" role="alert">
          Not JSON yet: {problem}
        </span>
      )}
    </label>
  );
}
