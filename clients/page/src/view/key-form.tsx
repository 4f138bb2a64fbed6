// A server with keys: the page asks for one. It goes nowhere but to this server, and is forgotten with the tab.
import { useState } from 'preact/hooks';

interface Props {
  /** In the server's words. */
  readonly problem: string | null;
  readonly onKey: (key: string) => void;
}

export function KeyForm({ problem, onKey }: Props) {
  const [key, setKey] = useState('');
  return (
    <main class="empty">
      <form
        class="settings"
        onSubmit={(event) => {
          event.preventDefault();
          onKey(key.trim());
        }}
      >
        <label>
          API key
          <input
            class="key"
            type="password"
            autocomplete="off"
            value={key}
            onInput={({ currentTarget }) => setKey(currentTarget.value)}
          />
        </label>
        <button type="submit" disabled={key.trim() === ''}>
          Use it
        </button>
      </form>
      {problem && (
        <p class="problem" role="alert">
          {problem}
        </p>
      )}
    </main>
  );
}
