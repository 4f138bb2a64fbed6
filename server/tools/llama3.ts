// Llama 3.1 and later: the whole answer is one call, JSON with `parameters`, perhaps after a control token.
import type { ToolFormat } from './format.js';

export const llama3: ToolFormat = {
  name: 'llama3',
  recognises: (template) =>
    /tools/.test(template) && /"parameters":/.test(template) && /ipython|python_tag/.test(template),
  marker: null,
  end: null,
  argumentsKey: 'parameters',
  isParallel: false,
  describe: (definitions) =>
    [
      'You may call these functions. Each is described by one line of JSON:',
      ...definitions,
      'To call one, answer with nothing but: {"name": "…", "parameters": {…}}',
    ].join('\n'),
};
