// A request as others would write it: a curl line, a program with the SDK, a deployment for the configuration. Pure.
import type { ChatRequest } from '@trimtab/client';

export type SnippetKind = 'curl' | 'SDK' | 'config';
export const snippetKinds: readonly SnippetKind[] = ['curl', 'SDK', 'config'];

export function snippet(kind: SnippetKind, request: ChatRequest, effective: unknown, origin: string): string {
  switch (kind) {
    case 'curl': {
      const body = JSON.stringify({ ...request, decoding_trace: undefined, stream: true });
      return `curl -N ${origin}/v1/chat/completions -H 'content-type: application/json' \\\n  -d '${body.replaceAll("'", String.raw`'\''`)}'`;
    }
    case 'SDK':
      return [
        "import { Trimtab } from '@trimtab/client';",
        '',
        `const client = new Trimtab({ baseUrl: ${JSON.stringify(origin)} });`,
        `const stream = client.stream(${JSON.stringify({ ...request, decoding_trace: undefined }, null, 2)});`,
        "for await (const event of stream) if (event.type === 'text') process.stdout.write(event.text);",
      ].join('\n');
    case 'config':
      return JSON.stringify({ deployments: { 'my-deployment': { decoding: effective } } }, null, 2);
    default:
      return kind satisfies never;
  }
}
