// Chat templates: what transformers offers them, what they may not do, and continuing the last message. Texts against the reference are
// in tokenizer.test.ts.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { AppError } from '../../../server/errors.js';
import { ChatTemplate, strftime, type ChatMessage, type RenderOptions } from '../../../server/models/template.js';
import { temporaryFolder } from './write-safetensors.js';

const template = (source: string) =>
  new ChatTemplate('chat_template.jinja', source, { bos_token: '<s>', eos_token: '</s>' });
const closed: RenderOptions = { addGenerationPrompt: false, continueFinal: false };
const open: RenderOptions = { addGenerationPrompt: false, continueFinal: true };
const user = (content: string): ChatMessage => ({ role: 'user', content });

function errorOf(action: () => unknown): AppError {
  try {
    action();
  } catch (error) {
    expect(error).toBeInstanceOf(AppError);
    return error as AppError;
  }
  throw new Error('nothing was thrown');
}

describe('rendering', () => {
  test.each([
    ['{{ bos_token }}{{ eos_token }}{{ pad_token is defined }}', '<s></s>false'],
    ['{{ tools is none }} {{ documents is none }} {% if tools %}x{% endif %}', 'true true '],
    ['{% for i in range(2, 8, 3) %}{{ i }},{% endfor %}{{ range(3) | length }}', '2,5,3'],
    ['{{ messages[0].role }}|{{ messages[0]["content"] | trim }}', 'user|hi'],
    ['{{ messages | tojson }}', '[{"role": "user", "content": " hi "}]'],
    ['{% if messages[0].name is defined %}named{% else %}nameless{% endif %}', 'nameless'],
    ['{%- generation -%} a {%- endgeneration -%}\nb', 'ab'],
    ['a\n{% generation %}\n b\n{% endgeneration %}\nc', 'a\n b\nc'],
    ['{{ True }}{{ none is none }}{{ None is none }}', 'truetruetrue'],
  ])('%s', (source, expected) => {
    expect(template(source).render([user(' hi ')], closed)).toBe(expected);
  });

  test.each([
    ["{{ '\\n  a \\n'.strip('\\n') }}|", '  a |'],
    ["{{ '\\n\\n  a\\n'.lstrip('\\n') }}|", '  a\n|'],
    ["{{ ' a \\n\\n'.rstrip('\\n') }}|", ' a |'],
    ["{{ 'xyabyx'.strip('xy') }}{{ 'aaa'.strip('a') }}{{ '😀b😀'.strip('😀') }}", 'abb'],
    ["{{ ' a '.strip() }}{{ ' b '.strip(none) }}{{ ' c '.lstrip() }}|", 'abc |'],
    [
      "{% set c = messages[0].content %}{{ c.split('</think>')[0].rstrip('\\n').split('<think>')[-1].lstrip('\\n') }}|",
      '  so|',
    ],
    ["{{ messages[0].content.split('</think>')[-1].lstrip('\\n') }}", '  def f():'],
  ])('%s: what is stripped are the characters that are given', (source, expected) => {
    expect(template(source).render([user('<think>\n  so\n</think>\n\n  def f():')], closed)).toBe(expected);
  });

  test('a strip of what is no string is an error of the template', () => {
    expect(errorOf(() => template("{{ 5.strip('a') }}").render([user('')], closed)).message).toContain('template');
    expect(errorOf(() => template("{{ 'a'.strip(5) }}").render([user('')], closed)).message).toContain(
      'must be a string',
    );
  });

  test('strftime in the C locale', () => {
    const date = new Date(2026, 6, 4, 15, 5, 9);
    expect(strftime(date, '%d %b %Y, %A %B %e; %H:%M:%S %I%p %y-%m %a %% %Q')).toBe(
      '04 Jul 2026, Saturday July  4; 15:05:09 03PM 26-07 Sat % %Q',
    );
    const now = template("{{ strftime_now('%Y-%m-%d') }}").render([user('')], closed);
    expect(now).toMatch(/^\d{4}-\d\d-\d\d$/);
  });
});

describe('continuing the last message', () => {
  const keeps =
    '{% for m in messages %}<{{ m.role }}>{{ m.content }}</s>{% endfor %}{% if add_generation_prompt %}<assistant>{% endif %}';
  const trims = keeps.replace('m.content', 'm.content | trim');

  test.each([
    ['kept', keeps, 'Sure, ', '<user>a</s><assistant>Sure, '],
    ['trimmed', trims, 'Sure, ', '<user>a</s><assistant>Sure,'],
    ['empty', keeps, '', '<user>a</s><assistant>'],
    ['empty and trimmed', trims, '', '<user>a</s><assistant>'],
    ['a repetition of the first', trims, 'a', '<user>a</s><assistant>a'],
  ])('%s', (_, source, content, expected) => {
    expect(template(source).render([user('a'), { role: 'assistant', content }], open)).toBe(expected);
  });

  test('not together with a new turn, and not when the template drops the message', () => {
    expect(
      errorOf(() => template(keeps).render([user('a')], { addGenerationPrompt: true, continueFinal: true })).message,
    ).toContain('Set only one of add_generation_prompt and continue_final_message');
    expect(errorOf(() => template('{{ messages[0].role }}').render([user('a')], open)).message).toContain(
      'leaves the last message out',
    );
  });
});

describe('limits and errors', () => {
  test('raise_exception speaks to the client', () => {
    const error = errorOf(() =>
      template("{{ raise_exception('No system role here') }}").render([{ role: 'system', content: 'x' }], closed),
    );
    expect(error.data).toMatchObject({ code: 'invalid_value', status: 400, param: 'messages' });
    expect(error.message).toContain('refuses these messages: No system role here (got roles: system)');
  });

  test.each([
    ['a function that does not exist', '{{ nothing() }}', 'fails on these messages'],
    ['a range without end', '{% for i in range(10000000000) %}{% endfor %}', 'limit is 65536'],
    ['a step of zero', '{% for i in range(0, 5, 0) %}{% endfor %}', 'limit is 65536'],
    ['too much text', `{% for i in range(60000) %}${'y'.repeat(400)}{% endfor %}`, 'limit is 16777216'],
  ])('%s', (_, source, text) => {
    const error = errorOf(() => template(source).render([user('a')], closed));
    expect(error.data.code).toBe('invalid_value');
    expect(error.message).toContain(text);
  });

  test('no messages', () => {
    expect(errorOf(() => template('x').render([], closed)).message).toContain('there are no messages');
  });

  test('templates cannot reach the process', () => {
    for (const source of [
      '{{ messages.constructor }}',
      '{{ messages[0].constructor }}',
      '{{ process }}',
      '{{ globalThis }}',
      "{{ ''.constructor }}",
    ]) {
      let text = '';
      try {
        text = template(source).render([user('a')], closed);
      } catch (error) {
        expect(error).toBeInstanceOf(AppError);
      }
      expect(text).toBe('');
    }
  });

  test('a template that is no template, or too long', () => {
    expect(errorOf(() => template('{% if %}')).data.code).toBe('model_file_invalid');
    expect(errorOf(() => template('x'.repeat(2_000_000))).message).toContain('limit is 1048576');
  });
});

describe('where it comes from', () => {
  const load = (files: Readonly<Record<string, unknown>>) => {
    const folder = temporaryFolder();
    for (const [name, value] of Object.entries(files)) {
      writeFileSync(join(folder, name), typeof value === 'string' ? value : JSON.stringify(value));
    }
    return ChatTemplate.load(folder, {})?.render([user('a')], closed);
  };

  test('a file before the config, a string, a list with "default", a list of one, none', () => {
    expect(load({ 'chat_template.jinja': 'file', 'tokenizer_config.json': { chat_template: 'config' } })).toBe('file');
    expect(load({ 'tokenizer_config.json': { chat_template: 'config' } })).toBe('config');
    const list = [
      { name: 'tool_use', template: 'tools' },
      { name: 'default', template: 'plain' },
    ];
    expect(load({ 'tokenizer_config.json': { chat_template: list } })).toBe('plain');
    expect(load({ 'tokenizer_config.json': { chat_template: list.slice(0, 1) } })).toBe('tools');
    expect(load({ 'tokenizer_config.json': { chat_template: null } })).toBe(undefined);
    expect(load({})).toBe(undefined);
  });

  test('a list without "default", or something else', () => {
    const two = [
      { name: 'a', template: 'a' },
      { name: 'b', template: 'b' },
    ];
    expect(errorOf(() => load({ 'tokenizer_config.json': { chat_template: two } })).message).toContain('(a, b)');
    expect(errorOf(() => load({ 'tokenizer_config.json': { chat_template: 7 } })).data.code).toBe('model_file_invalid');
  });
});
