// The published forms of the configuration's declaration: JSON Schema for editors, and the reference page docs/config.md. Printed
// by `trimtab schema`; a test keeps the files in docs/ current.
import { accepts } from './problems.js';
import { ConfigFile } from './schema.js';

type Schema = { readonly [key: string]: unknown };

const entriesOf = (value: unknown): [string, Schema][] => Object.entries((value ?? {}) as Record<string, Schema>);

/** Inside the process keys with a default are required (they have been filled in); in a file they are not. */
function optionalWhereDefaulted(schema: Schema): Schema {
  const properties = entriesOf(schema['properties']);
  const patterns = entriesOf(schema['patternProperties']);
  const required = ((schema['required'] ?? []) as string[]).filter(
    (key) => properties.find(([name]) => name === key)?.[1]['default'] === undefined,
  );
  const { required: _, ...rest } = schema;
  return {
    ...rest,
    ...(required.length > 0 ? { required } : {}),
    ...(properties.length > 0
      ? { properties: Object.fromEntries(properties.map(([key, inner]) => [key, optionalWhereDefaulted(inner)])) }
      : {}),
    ...(patterns.length > 0
      ? { patternProperties: Object.fromEntries(patterns.map(([key, inner]) => [key, optionalWhereDefaulted(inner)])) }
      : {}),
    ...(schema['items'] === undefined ? {} : { items: optionalWhereDefaulted(schema['items'] as Schema) }),
  };
}

export function publishedSchema(): Schema {
  return {
    $schema: 'https://json-schema.org/draft/2020-12/schema',
    ...optionalWhereDefaulted(ConfigFile as unknown as Schema),
  };
}

function rows(prefix: string, schema: Schema): string[] {
  const required = new Set((schema['required'] ?? []) as string[]);
  return entriesOf(schema['properties']).flatMap(([key, inner]) => {
    const path = `${prefix}${key}`;
    const nested = entriesOf(inner['properties']).length > 0;
    if (nested) return rows(`${path}.`, inner);
    const record = entriesOf(inner['patternProperties'])[0]?.[1];
    if (record !== undefined && entriesOf(record['properties']).length > 0) return rows(`${path}.NAME.`, record);
    const entry = inner['items'] as Schema | undefined;
    const ofEntries = entriesOf(entry?.['properties']).length > 0 ? rows(`${path}[].`, entry!) : [];
    const byDefault =
      inner['default'] !== undefined ? `\`${JSON.stringify(inner['default'])}\`` : required.has(key) ? 'required' : '–';
    const words = typeof inner['description'] === 'string' ? inner['description'] : '';
    return [
      `| \`${path}\` | ${accepts(inner).replaceAll('|', '\\|')} | ${byDefault} | ${words.replaceAll('|', '\\|')} |`,
      ...ofEntries,
    ];
  });
}

const example = `\`\`\`json
{
  "models": {
    "large": { "path": "checkpoints/large", "weights": "q4" },
    "small": { "path": "checkpoints/small", "weights": "q8" },
    "small-chat": { "path": "checkpoints/small-chat", "weights": "q8" }
  },
  "deployments": {
    "steered": {
      "decoding": { "method": "eft", "base": "large", "tuned": "small-chat", "reference": "small", "weight": 1 },
      "defaults": { "temperature": 0.7 }
    }
  }
}
\`\`\``;

/** Markdown; the whole of docs/config.md. */
export function referencePage(): string {
  return `# trimtab.config.json

Generated from \`server/config/schema.ts\` by \`npx trimtab schema --markdown > docs/config.md\`; the JSON Schema beside it
(\`config.schema.json\`) comes from \`npx trimtab schema\`. Give an editor \`"$schema": "./docs/config.schema.json"\` and it completes
the keys.

## Example

${example}

Which file is read: \`--config FILE\`, else the variable \`TRIMTAB_CONFIG\`, else \`trimtab.config.json\` in the current folder, else the
pocket suite that comes with trimtab. Relative paths begin at the config file. Command-line options win over variables
(\`PORT\`, \`TRIMTAB_ARTIFACTS\`, \`TRIMTAB_KEY_FILE\`), and variables win over the file. \`TRIMTAB_API_KEYS\` and
\`TRIMTAB_ADMIN_KEYS\` add to the keys of the file ([authentication](http.md#authentication)).

Unknown keys are errors that name the nearest known key. Names of models and deployments begin with a letter or digit and
hold only letters, digits, and \`. _ : / -\`; they share one namespace, because clients select both by the field \`model\`.

## Keys

| key | value | default | meaning |
| --- | --- | --- | --- |
${rows('', publishedSchema()).join('\n')}
`;
}
