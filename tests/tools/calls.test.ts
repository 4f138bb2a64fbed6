// Calls of tools, from grammar to text and back: whatever a grammar allows is read as the calls that it is, in whatever pieces it comes.
import fc from 'fast-check';
import { Check } from 'typebox/schema';
import { describe, expect, it } from 'vitest';
import { Matcher } from '../../decoders/constraint/matcher.js';
import { Masks } from '../../server/engine/masks.js';
import { tokenTrie } from '../../server/engine/token-trie.js';
import type { ToolFormat } from '../../server/tools/format.js';
import { formatOfTemplate } from '../../server/tools/formats.js';
import { toolGrammar } from '../../server/tools/grammar.js';
import { hermes } from '../../server/tools/hermes.js';
import { llama3 } from '../../server/tools/llama3.js';
import { mistral } from '../../server/tools/mistral.js';
import { ToolParser, type ToolEvent } from '../../server/tools/parser.js';
import { plainMessages } from '../../server/tools/plain-messages.js';
import { drawDocument, SMALL_END, smallTable } from '../support/arbitrary-schema.js';

const formats = [hermes, llama3, mistral];
const weather = {
  type: 'object',
  properties: {
    city: { type: 'string' },
    days: { type: 'integer', minimum: 1, maximum: 9 },
    'q"x': { enum: [[1, '}'], null] },
  },
  required: ['city'],
};
const tools = [
  { place: '[0].function', name: 'get_weather', parameters: weather },
  { place: '[1].function', name: 'stop', parameters: null },
];
const names = tools.map(({ name }) => name);

interface Read {
  readonly content: string;
  readonly calls: readonly { readonly name: string; readonly arguments: string }[];
}

function read(format: ToolFormat, pieces: readonly string[]): Read {
  const parser = new ToolParser({ format, names });
  const events: ToolEvent[] = [...pieces.flatMap((piece) => [...parser.push(piece)]), ...parser.end()];
  const calls: { name: string; arguments: string }[] = [];
  let content = '';
  for (const event of events) {
    if (event.kind === 'content') content += event.text;
    else if (event.kind === 'call') {
      expect(event.index).toBe(calls.length);
      calls.push({ name: event.name, arguments: '' });
    } else calls[event.index]!.arguments += event.text;
  }
  return { content, calls };
}

const cut = (text: string, cuts: readonly number[]): string[] => {
  const places = [...new Set(cuts.map((at) => at % (text.length + 1)))].sort((a, b) => a - b);
  return [0, ...places].map((from, at) => text.slice(from, places[at] ?? text.length));
};

function randomOf(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return ((state ^ (state >>> 13)) >>> 0) / 2 ** 32;
  };
}

describe('calls of tools', () => {
  it('what is cut within the mark after a call is that mark, not text', () => {
    const whole = '<tool_call>{"name": "stop", "arguments": {}}</tool_call>';
    const call = whole.indexOf('</tool_call>');
    for (let end = call; end <= whole.length; end++)
      expect(read(hermes, [...whole.slice(0, end)])).toEqual({
        content: '',
        calls: [{ name: 'stop', arguments: '{}' }],
      });
    expect(read(hermes, [...whole.slice(0, call), ' and so on']).content).toBe('and so on');
  });

  it('what the grammar demands is read back, piece by piece, and fulfils the schemas', () => {
    const masks = new Masks(tokenTrie(smallTable));
    for (const format of formats) {
      const job = { format: format.name, tools, isDemanded: true, most: format.isParallel ? 3 : 1, markerId: null };
      const matcher = new Matcher(toolGrammar(job, format.name));
      let ended = 0;
      fc.assert(
        fc.property(fc.nat(), fc.array(fc.nat(), { maxLength: 6 }), (seed, cuts) => {
          const text = drawDocument(matcher, masks, smallTable, SMALL_END, randomOf(seed), 600);
          if (text === null) return;
          ended++;
          const { content, calls } = read(format, cut(text, cuts));
          expect(content).toBe('');
          expect(calls.length).toBeGreaterThanOrEqual(1);
          expect(calls.length).toBeLessThanOrEqual(job.most);
          for (const call of calls) {
            const value: unknown = JSON.parse(call.arguments);
            if (call.name === 'get_weather') expect(Check(weather, value)).toBe(true);
            else expect(value).toEqual({});
          }
          expect(read(format, [text])).toEqual({ content, calls });
        }),
        { numRuns: 60 },
      );
      expect(ended).toBeGreaterThan(20);
    }
  });

  it('text around calls stays text, and what only looks like a call does too', () => {
    const cases: readonly (readonly [ToolFormat, string, string, number])[] = [
      [hermes, 'Let me see.\n<tool_call>\n{"name": "stop", "arguments": {}}\n</tool_call>', 'Let me see.', 1],
      [hermes, 'a < b, <tool> and <tool_call', 'a < b, <tool> and <tool_call', 0],
      [
        hermes,
        '<tool_call>{"name": "other", "arguments": {}}</tool_call>',
        '<tool_call>{"name": "other", "arguments": {}}</tool_call>',
        0,
      ],
      [hermes, '<tool_call>no json</tool_call>', '<tool_call>no json</tool_call>', 0],
      [hermes, '<tool_call>{"arguments": {"city": "x"}, "name": "get_weather"}</tool_call> done', ' done', 1],
      [
        hermes,
        '<tool_call>{"name": "stop", "arguments": {}}</tool_call>\n<tool_call>{"name": "stop", "arguments": {}}</tool_call>',
        '',
        2,
      ],
      [llama3, '{"name": "stop", "parameters": {}}', '', 1],
      [llama3, '<|python_tag|>{"name": "stop", "parameters": {}}', '', 1],
      [llama3, '{"answer": 42}', '{"answer": 42}', 0],
      [llama3, 'Plainly {"name": "stop", "parameters": {}}', 'Plainly {"name": "stop", "parameters": {}}', 0],
      [mistral, '[TOOL_CALLS] [{"name": "stop", "arguments": {}}, {"name": "stop", "arguments": {}}]', '', 2],
      [mistral, '[TOOL_CALLS] nothing', '[TOOL_CALLS] nothing', 0],
      [mistral, 'a list [1, 2]', 'a list [1, 2]', 0],
    ];
    for (const [format, text, content, count] of cases)
      for (let size = 1; size <= text.length; size += size < 12 ? 1 : 17) {
        const pieces = Array.from({ length: Math.ceil(text.length / size) }, (_, at) =>
          text.slice(at * size, (at + 1) * size),
        );
        const { content: said, calls } = read(format, pieces);
        expect([text, size, said, calls.length]).toEqual([text, size, content, count]);
      }
  });

  it('an answer that is cut keeps what was called', () => {
    const text = '<tool_call>{"name": "get_weather", "arguments": {"city": "Os';
    expect(read(hermes, [text])).toEqual({ content: '', calls: [{ name: 'get_weather', arguments: '{"city": "Os' }] });
    expect(read(hermes, ['<tool_call>{"na'])).toEqual({ content: '<tool_call>{"na', calls: [] });
  });

  it('a strict function among free text: any text, but every call as it must be', () => {
    const accepts = (format: ToolFormat, text: string): boolean => {
      const grammar = toolGrammar(
        { format: format.name, tools, isDemanded: false, most: 2, markerId: null },
        format.name,
      );
      const matcher = new Matcher(grammar);
      return matcher.bytes(matcher.start, new TextEncoder().encode(text))?.ends ?? false;
    };
    expect(accepts(hermes, '')).toBe(true);
    expect(accepts(hermes, 'Some <b>text</b>, <tool_cal and <<tool_')).toBe(true);
    expect(accepts(hermes, 'Well: <tool_call>{"name": "stop", "arguments": {}}</tool_call> and so on')).toBe(true);
    expect(accepts(hermes, '<<tool_call>{"name": "get_weather", "arguments": {"city": "x"}}</tool_call>')).toBe(true);
    expect(accepts(hermes, '<tool_call>{"name": "get_weather", "arguments": {}}</tool_call>')).toBe(false);
    expect(accepts(hermes, '<tool_call> hm')).toBe(false);
    expect(accepts(llama3, 'Any text {"a": 1}')).toBe(true);
    expect(accepts(llama3, '{"name": "stop", "parameters": {}}')).toBe(true);
    expect(accepts(llama3, '{"name": "halt", "parameters": {}}')).toBe(false);
    expect(accepts(mistral, 'x [TOOL_CALLS][{"name": "stop", "arguments": {}}]')).toBe(true);
    expect(accepts(mistral, '[TOOL_CALLS]{}')).toBe(false);
  });

  it('a marker that is a control token is a token of the grammar', () => {
    const job = { format: 'mistral', tools, isDemanded: true, most: 2, markerId: 5 };
    const matcher = new Matcher(toolGrammar(job, 'token'));
    const after = matcher.token(matcher.start, 5)!;
    expect(matcher.token(matcher.start, 6)).toBeNull();
    expect(matcher.bytes(matcher.start, new TextEncoder().encode('['))).toBeNull();
    expect(matcher.bytes(after, new TextEncoder().encode('[{"name": "stop", "arguments": {}}]'))?.ends).toBe(true);
  });

  it('templates are known by what they write', () => {
    expect(formatOfTemplate('{% if tools %}<tool_call>{% endif %}')?.name).toBe('hermes');
    expect(formatOfTemplate('{{ "[TOOL_CALLS] [" }}')?.name).toBe('mistral');
    expect(formatOfTemplate('{% if tools %}{{ \'"parameters": \' }}<|python_tag|>{% endif %}')?.name).toBe('llama3');
    expect(formatOfTemplate('{{ messages[0].content }}')).toBeNull();
  });

  it('a template that knows no tools is told of them as text, which is read back as the same calls', () => {
    const given = [
      { role: 'user', content: 'Weather?' },
      {
        role: 'assistant',
        content: '',
        tool_calls: [
          { function: { name: 'get_weather', arguments: { city: 'Oslo' } } },
          { function: { name: 'stop', arguments: {} } },
        ],
      },
      { role: 'tool', content: 'rain', name: 'get_weather' },
    ];
    for (const format of formats) {
      const [system, user, assistant, result] = plainMessages(given, format, [
        { type: 'function', function: { name: 'stop' } },
      ]);
      expect(system!.role).toBe('system');
      expect(system!.content).toContain('\n{"name":"stop"}\n');
      expect(user).toEqual(given[0]);
      expect(result).toEqual({ role: 'user', content: 'Result of get_weather: rain' });
      expect(read(format, [assistant!.content]).calls).toEqual([
        { name: 'get_weather', arguments: '{"city":"Oslo"}' },
        { name: 'stop', arguments: '{}' },
      ]);
    }
  });
});
