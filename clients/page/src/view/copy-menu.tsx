// The request as others would write it, on the clipboard.
import type { ChatRequest } from '@trimtab/client';
import { useState } from 'preact/hooks';
import { origin } from '../server.js';
import { snippet, snippetKinds, type SnippetKind } from '../snippets.js';

interface Props {
  readonly request: ChatRequest;
  readonly effective: unknown;
}

const TOLD_MS = 1500;

export function CopyMenu({ request, effective }: Props) {
  const [told, setTold] = useState<string | null>(null);
  const copy = async (kind: SnippetKind): Promise<void> => {
    try {
      await navigator.clipboard.writeText(snippet(kind, request, effective, origin));
      setTold('copied');
    } catch {
      setTold('the browser did not allow it');
    }
    setTimeout(() => setTold(null), TOLD_MS);
  };
  return (
    <span class="copy">
      copy as{' '}
      {snippetKinds.map((kind) => (
        <button key={kind} type="button" class="quiet" onClick={() => void copy(kind)}>
          {kind}
        </button>
      ))}
      <span role="status">{told}</span>
    </span>
  );
}
