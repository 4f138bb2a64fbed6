// The families of tool formats, and which one a chat template speaks. A new family is a file and a line here.
import type { ToolFormat } from './format.js';
import { hermes } from './hermes.js';
import { llama3 } from './llama3.js';
import { mistral } from './mistral.js';

const formats: readonly ToolFormat[] = [hermes, mistral, llama3];

/** What is asked of models whose template knows no tools. */
export const genericFormat = hermes;

/** Null: the template knows no tools, or writes calls in a way that is not known here. */
export function formatOfTemplate(template: string): ToolFormat | null {
  return formats.find(({ recognises }) => recognises(template)) ?? null;
}

export function formatNamed(name: string): ToolFormat {
  const format = formats.find((each) => each.name === name);
  if (!format) throw new Error(`no tool format ${name}`);
  return format;
}
