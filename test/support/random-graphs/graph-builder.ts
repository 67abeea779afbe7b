import { Graph, Node, OnnxDatatype, Weights } from '../onnx-writer.js';
import { Random } from '../seeded-random.js';

/** A number, or the name of a dimension that is not known before the run. */
export type Dim = number | string;

/** What an operator gives, or an input. */
export interface Value {
  readonly name: string;
  readonly datatype: OnnxDatatype;
  readonly dims: readonly Dim[];
  /** The same to the last bit in whatever company: it may be rounded to steps, or compared. */
  readonly isExact: boolean;
}

/** An operator, or a few that belong together. */
export interface Step {
  readonly name: string;
  /** Undefined where it cannot take the value. */
  readonly apply: (builder: GraphBuilder, value: Value) => Value | undefined;
}

/** Puts nodes together, with names of their own, and draws what is random about them. */
export class GraphBuilder implements Pick<Graph, 'nodes' | 'weights'> {
  readonly nodes: Node[] = [];
  readonly weights: Weights[] = [];

  constructor(private readonly random: Random) {}

  /** @returns the name of the first output */
  node(op: string, inputs: readonly string[], attributes: Node['attributes'] = {}, outputs = 1): string {
    const names = Array.from({ length: outputs }, (_, index) => `${op}${this.nodes.length}_${index}`);
    this.nodes.push({ op, inputs, outputs: names, attributes });
    return names[0] as string;
  }

  /** Random numbers around 0. */
  floats(dims: readonly number[], reach = 1): string {
    const size = dims.reduce((product, dim) => product * dim, 1);
    const data = Float32Array.from({ length: size }, () => (this.random() * 2 - 1) * reach);
    return this.constant('FP32', dims, data);
  }

  float(value: number): string {
    return this.constant('FP32', [], Float32Array.of(value));
  }

  integers(...data: number[]): string {
    return this.constant('INT64', [data.length], BigInt64Array.from(data, BigInt));
  }

  constant(datatype: OnnxDatatype, dims: readonly number[], data: Weights['data']): string {
    const name = `weights${this.weights.length}`;
    this.weights.push({ name, datatype, dims, data });
    return name;
  }

  /** A whole number, both ends included. */
  int(from: number, to: number): number {
    return from + Math.floor(this.random() * (to - from + 1));
  }

  pick<Option>(options: readonly Option[]): Option {
    return options[this.int(0, options.length - 1)] as Option;
  }

  chance(probability: number): boolean {
    return this.random() < probability;
  }
}

/** The last dimension, where it is known and there is one before it. */
export function widthOf({ dims }: Value): number | undefined {
  const last = dims.length > 1 ? dims.at(-1) : undefined;
  return typeof last === 'number' ? last : undefined;
}

/** The same value with other dimensions. */
export function withLast({ dims }: Value, last: Dim): Dim[] {
  return [...dims.slice(0, -1), last];
}
