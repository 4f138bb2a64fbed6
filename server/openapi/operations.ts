// What the OpenAPI document says of each route, by method and path: what it is, and an example where there is one.
import { examples } from './examples.js';
import type { Example, Operation, Summary } from './operation.js';
import { summaries } from './summaries.js';

const tags = Object.keys(summaries) as Operation['tag'][];
const exampleOf: Readonly<Record<string, Example | undefined>> = examples;

export const operations: Readonly<Record<string, Operation>> = Object.fromEntries(
  tags.flatMap((tag) =>
    Object.entries<Summary>(summaries[tag]).map(([route, said]) => [route, { tag, ...said, ...exampleOf[route] }]),
  ),
);
