// The text form of a graph: one line per value, in order, names shortened to what a reader needs. For golden files, `trimtab explain`
// and the eyes; nothing parses it.
import { shapeText } from './dims.js';
import type { Attribute, Constant, Graph, Info, Node } from './graph.js';

const typed = ({ name, dtype, shape }: Info): string => `${name}: ${dtype}${shapeText(shape)}`;

function attributeText(attribute: Attribute): string {
  if ('int' in attribute) return String(attribute.int);
  if ('float' in attribute) return String(attribute.float);
  if ('string' in attribute) return JSON.stringify(attribute.string);
  return `[${attribute.ints.join(', ')}]`;
}

/** Up to eight elements of a constant; more are counted. */
function constantText({ dtype, shape, bytes }: Constant): string {
  const buffer = bytes.slice().buffer;
  const elements = ((): readonly (number | bigint)[] => {
    switch (dtype) {
      case 'float32':
        return Array.from(new Float32Array(buffer), (x) => Number(x.toPrecision(7)));
      case 'float64':
        return [...new Float64Array(buffer)];
      case 'int32':
        return [...new Int32Array(buffer)];
      case 'int64':
        return [...new BigInt64Array(buffer)];
      case 'int8':
        return [...new Int8Array(buffer)];
      case 'uint8':
      case 'bool':
        return [...new Uint8Array(buffer)];
      default:
        return dtype satisfies never;
    }
  })();
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
