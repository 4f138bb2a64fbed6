// Mistral: a control token, then a JSON list of calls.
import type { ToolFormat } from './format.js';

export const mistral: ToolFormat = {
  name: 'mistral',
  recognises: (template) => template.includes('[TOOL_CALLS]'),
  marker: '[TOOL_CALLS]',
  end: null,
  argumentsKey: 'arguments',
  isParallel: true,
  describe: (definitions) =>
    [
      'You may call these functions. Each is described by one line of JSON:',
      ...definitions,
      'To call some, write only: [TOOL_CALLS][{"name": "…", "arguments": {…}}]',
    ].join('\n'),
};
