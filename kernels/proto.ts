// A finished Graph as the bytes of an ONNX ModelProto, through protobufjs and the part of the ONNX schema that we write. Weights
// become references into a file beside the model: their places are returned, their bytes are not touched (write.ts streams them).
import protobuf from 'protobufjs/light.js';
import {
  type Attribute,
  bytesPerElement,
  type DType,
  elementCount,
  type Graph,
  GraphError,
  type Info,
  type Weight,
} from './graph.js';

const irVersion = 10;
const opsets = [
  { domain: '', version: 21 },
  { domain: 'com.microsoft', version: 1 },
];

/** Offsets of weights are multiples of this many bytes: cache lines, and what memory-mapped tensors want. */
export const weightAlignment = 64;

export interface PlacedWeight {
  readonly weight: Weight;
  readonly offset: number;
  readonly length: number;
}

export interface EncodedModel {
  readonly bytes: Uint8Array;
  readonly placed: readonly PlacedWeight[];
  /** Size of the file beside the model. */
  readonly externalLength: number;
}

// Field numbers of onnx.proto. A number that is missing here is a field that we never write.
const field = (id: number, type: string, rule?: 'repeated'): protobuf.IField =>
  rule ? { id, type, rule } : { id, type };

const schema = protobuf.Root.fromJSON({
  nested: {
    StringStringEntryProto: { fields: { key: field(1, 'string'), value: field(2, 'string') } },
    OperatorSetIdProto: { fields: { domain: field(1, 'string'), version: field(2, 'int64') } },
    TensorProto: {
      fields: {
        dims: field(1, 'int64', 'repeated'),
        dataType: field(2, 'int32'),
        name: field(8, 'string'),
        rawData: field(9, 'bytes'),
        externalData: field(13, 'StringStringEntryProto', 'repeated'),
        dataLocation: field(14, 'int32'),
      },
    },
    Dimension: { fields: { dimValue: field(1, 'int64'), dimParam: field(2, 'string') } },
    TensorShapeProto: { fields: { dim: field(1, 'Dimension', 'repeated') } },
    TensorType: { fields: { elemType: field(1, 'int32'), shape: field(2, 'TensorShapeProto') } },
    TypeProto: { fields: { tensorType: field(1, 'TensorType') } },
    ValueInfoProto: { fields: { name: field(1, 'string'), type: field(2, 'TypeProto') } },
    AttributeProto: {
      fields: {
        name: field(1, 'string'),
        f: field(2, 'float'),
        i: field(3, 'int64'),
        s: field(4, 'bytes'),
        ints: field(8, 'int64', 'repeated'),
        type: field(20, 'int32'),
      },
    },
    NodeProto: {
      fields: {
        input: field(1, 'string', 'repeated'),
        output: field(2, 'string', 'repeated'),
        name: field(3, 'string'),
        opType: field(4, 'string'),
        attribute: field(5, 'AttributeProto', 'repeated'),
        domain: field(7, 'string'),
      },
    },
    GraphProto: {
      fields: {
        node: field(1, 'NodeProto', 'repeated'),
        name: field(2, 'string'),
        initializer: field(5, 'TensorProto', 'repeated'),
        input: field(11, 'ValueInfoProto', 'repeated'),
        output: field(12, 'ValueInfoProto', 'repeated'),
      },
    },
    ModelProto: {
      fields: {
        irVersion: field(1, 'int64'),
        producerName: field(2, 'string'),
        graph: field(7, 'GraphProto'),
        opsetImport: field(8, 'OperatorSetIdProto', 'repeated'),
      },
    },
  },
});

const modelType = schema.lookupType('ModelProto');

const elementType: Readonly<Record<DType, number>> = {
  float32: 1,
  uint8: 2,
  int8: 3,
  int32: 6,
  int64: 7,
  bool: 9,
  float16: 10,
  float64: 11,
};

function attributeMessage([name, attribute]: [string, Attribute]): object {
  if ('float' in attribute) return { name, type: 1, f: attribute.float };
  if ('int' in attribute) return { name, type: 2, i: attribute.int };
  if ('string' in attribute) return { name, type: 3, s: Buffer.from(attribute.string, 'utf8') };
  return { name, type: 7, ints: attribute.ints };
}

const valueInfoMessage = ({ name, dtype, shape }: Info): object => ({
  name,
  type: {
    tensorType: {
      elemType: elementType[dtype],
      shape: { dim: shape.map((dim) => (typeof dim === 'number' ? { dimValue: dim } : { dimParam: dim })) },
    },
  },
});

export const weightLength = (weight: Info): number => elementCount(weight.shape) * bytesPerElement[weight.dtype];

/** Weights that share one `produce` are two views of the same bytes: they get one place (a table that is also a matrix). */
function place(weights: readonly Weight[]): { placed: PlacedWeight[]; externalLength: number } {
  let end = 0;
  const places = new Map<Weight['produce'], { readonly offset: number; readonly length: number }>();
  const placed = weights.map((weight) => {
    const length = weightLength(weight);
    const known = places.get(weight.produce);
    if (known && known.length !== length)
      throw new GraphError(`weight ${weight.name} has ${length} bytes, its twin ${known.length}.`);
    const here = known ?? { offset: Math.ceil(end / weightAlignment) * weightAlignment, length };
    if (!known) end = here.offset + length;
    places.set(weight.produce, here);
    return { weight, ...here };
  });
  return { placed, externalLength: end };
}

/** Encodes the model. `externalFile` is the name of the file beside it; null puts the weights into the model itself (small graphs). */
export function encodeModel(graph: Graph, externalFile: string | null): EncodedModel {
  const { placed, externalLength } = place(graph.weights);
  const initializer: object[] = graph.constants.map(({ name, dtype, shape, bytes }) => ({
    name,
    dims: shape,
    dataType: elementType[dtype],
    rawData: bytes,
  }));
  for (const { weight, offset, length } of placed) {
    const { name, dtype, shape } = weight;
    const entries = { location: externalFile, offset, length };
    initializer.push({
      name,
      dims: shape,
      dataType: elementType[dtype],
      ...(externalFile === null
        ? { rawData: weight.produce() }
        : {
            externalData: Object.entries(entries).map(([key, value]) => ({ key, value: String(value) })),
            dataLocation: 1,
          }),
    });
  }
  const node = graph.nodes.map(({ op, domain, inputs, outputs, attributes }, i) => ({
    name: `${op}.${i}`,
    opType: op,
    domain,
    input: inputs,
    output: outputs.map((output) => output.name),
    attribute: Object.entries(attributes).map(attributeMessage),
  }));
  const message = modelType.create({
    irVersion,
    producerName: 'trimtab',
    opsetImport: opsets,
    graph: {
      name: graph.name,
      node,
      initializer,
      input: graph.inputs.map(valueInfoMessage),
      output: graph.outputs.map(valueInfoMessage),
    },
  });
  return { bytes: modelType.encode(message).finish(), placed: externalFile === null ? [] : placed, externalLength };
}
