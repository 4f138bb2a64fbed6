// The text form of a graph: one line per value, in order, names shortened to what a reader needs. For golden files, `trimtab explain`
// and the eyes; nothing parses it.
import { shapeText } from './dims.js';
import { elementsOf } from './elements.js';
import type { Attribute, Constant, Graph, Info, Node } from './graph.js';

const typed = ({ name, dtype, shape }: Info): string => `${name}: ${dtype}${shapeText(shape)}`;

function attributeText(attribute: Attribute): string {
  if ('int' in attribute) return String(attribute.int);
  if ('float' in attribute) return String(attribute.float);
  if ('string' in attribute) return JSON.stringify(attribute.string);
  return `[${attribute.ints.join(', ')}]`;
}

/** Up to eight elements of a constant; more are counted. */
function constantText(constant: Constant): string {
  const { dtype, shape } = constant;
  const digits = dtype === 'float32' ? 7 : dtype === 'float16' ? 4 : null;
  const elements = elementsOf(constant).map((x) => (digits === null ? x : Number(x.toPrecision(digits))));
  if (shape.length === 0) return String(elements[0]);
  const shown = elements.slice(0, 8).join(', ');
  return elements.length > 8 ? `[${shown}, … ${elements.length}]` : `[${shown}]`;
}

function nodeText(node: Node, nameOf: (name: string) => string): string {
  const outputs = node.outputs.map((output) => (output.name === '' ? '_' : typed(output))).join(', ');
  const inputs = node.inputs.map(nameOf);
  const attributes = Object.entries(node.attributes).map(([key, value]) => `${key}=${attributeText(value)}`);
  return `${outputs} = ${node.op}(${[...inputs, ...attributes].join(', ')})`;
}

export function print(graph: Graph): string {
  // Constants are written where they are used: as values, not as names.
  const inline = new Map(graph.constants.map((constant) => [constant.name, constantText(constant)]));
  const nameOf = (name: string): string => (name === '' ? '_' : (inline.get(name) ?? name));
  return [
    `graph ${graph.name}`,
    ...graph.inputs.map((input) => `  input ${typed(input)}`),
    ...graph.weights.map((weight) => `  weight ${typed(weight)}`),
    ...graph.nodes.map((node) => `  ${nodeText(node, nameOf)}`),
    ...graph.outputs.map((output) => `  output ${typed(output)}`),
    '',
  ].join('\n');
}
