// Hermes, Qwen and their kin: each call is JSON between <tool_call> tags. Also what is asked of models whose template knows no tools.
import type { ToolFormat } from './format.js';

export const hermes: ToolFormat = {
  name: 'hermes',
  recognises: (template) => template.includes('<tool_call>'),
  marker: '<tool_call>',
  end: '</tool_call>',
  argumentsKey: 'arguments',
  isParallel: true,
  describe: (definitions) =>
    [
      'You may call these functions. Each is described by one line of JSON:',
      ...definitions,
      'To call one, write only: <tool_call>{"name": "…", "arguments": {…}}</tool_call>',
    ].join('\n'),
};
