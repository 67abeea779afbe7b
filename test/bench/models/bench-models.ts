import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Graph, Node, Weights, writeOnnx } from '../../support/onnx-writer.js';
import { Random, seededRandom } from '../../support/seeded-random.js';

/** Rows that are sent in turn. */
const ROWS = 16;
const FEW_ROWS = 2;

/** A model that was made for the bench. */
export interface BenchModel {
  readonly name: string;
  readonly modelsDir: string;
  readonly rows: readonly (readonly number[])[];
}

/**
 * A fully connected network of 29 MB: compute-bound, in large matrices. Few scores come out: a thousand of them a row
 * would make it a measurement of the broker, through which 12 KB of JSON go for each.
 */
export function largeMlp(folder: string): BenchModel {
  const widths = [512, 2176, 2816, 10];
  return write(folder, 'mlp-29mb', {
    layers: (chain) => chain.dense(widths),
    input: [512],
    output: [10],
    isImage: true,
  });
}

/** Four convolutions of 1 MB over a small image: compute-bound, and a batch gains nothing. */
export function convolution(folder: string): BenchModel {
  return write(folder, 'convolution', {
    layers: (chain) => chain.convolutions([3, 32, 64, 128, 128], 2).dense([128, 10]),
    input: [3, 64, 64],
    output: [10],
    isImage: true,
  });
}

/** Convolutions so wide that a single row takes about 100 ms: no choice of batches makes it quick. */
export function slowConvolution(folder: string): BenchModel {
  return write(folder, 'slow-convolution', {
    layers: (chain) => chain.convolutions([3, 256, 320, 320, 320], 1).dense([320, 10]),
    input: [3, 64, 64],
    output: [10],
    isImage: true,
    rows: FEW_ROWS,
  });
}

/** Hardly any computation on a row of `floats`: what it costs to bring the row. */
export function meanOf(folder: string, floats: number): BenchModel {
  return write(folder, `mean-${floats}`, { layers: (chain) => chain.mean(), input: [floats], output: [1] });
}

interface Plan {
  readonly layers: (chain: LayerChain) => LayerChain;
  readonly input: readonly number[];
  readonly output: readonly number[];
  /** Rows are pixels from 0 to 255, which preprocessing scales to 1. Default: numbers from 0 to 1. */
  readonly isImage?: boolean;
  /** Different rows; the right answer to each is computed at the start. */
  readonly rows?: number;
}

/** A models folder of its own for each, as a worker loads all that are in one. */
function write(
  folder: string,
  name: string,
  { layers, input, output, isImage, rows: count = ROWS }: Plan,
): BenchModel {
  const random = seededRandom(name);
  const chain = layers(new LayerChain(random));
  const modelsDir = join(folder, name);
  const modelFolder = join(modelsDir, name);
  mkdirSync(modelFolder, { recursive: true });
  writeFileSync(
    join(modelFolder, 'model.onnx'),
    writeOnnx({
      inputs: [{ name: 'input', shape: ['batch', ...input] }],
      outputs: [{ name: chain.last, shape: ['batch', ...output] }],
      nodes: chain.nodes,
      weights: chain.weights,
    }),
  );
  const preprocess = { ioDelayMs: 0, ...(isImage && { scale: 1 / 255 }) };
  writeFileSync(join(modelFolder, 'model.json'), JSON.stringify({ preprocess }));
  const floats = input.reduce((product, dim) => product * dim, 1);
  const rows = Array.from({ length: count }, () =>
    Array.from({ length: floats }, () =>
      isImage ? Math.floor(random() * 256) : Math.round(random() * 1e4) / 1e4,
    ),
  );
  return { name, modelsDir, rows };
}

/** Layers one after the other, with random weights of a size that keeps the values in bounds. */
class LayerChain implements Pick<Graph, 'nodes' | 'weights'> {
  readonly nodes: Node[] = [];
  readonly weights: Weights[] = [];
  last = 'input';

  constructor(private readonly random: Random) {}

  /** Matrix products with a ReLU between them, and a softmax at the end. */
  dense(widths: readonly number[]): this {
    for (let layer = 1; layer < widths.length; layer++) {
      const [from, to] = [widths[layer - 1] as number, widths[layer] as number];
      this.add('MatMul', [this.last, this.weight([from, to], from)]);
      this.add(layer < widths.length - 1 ? 'Relu' : 'Softmax', [this.last]);
    }
    return this;
  }

  /**
   * 3×3 with ReLU; an average over what is left of the image.
   *
   * @param lateStride of the later half, the earlier having 1
   */
  convolutions(channels: readonly number[], lateStride: 1 | 2): this {
    for (let layer = 1; layer < channels.length; layer++) {
      const [from, to] = [channels[layer - 1] as number, channels[layer] as number];
      const stride = layer * 2 <= channels.length - 1 ? 1 : lateStride;
      const attributes = { kernel_shape: [3, 3], pads: [1, 1, 1, 1], strides: [stride, stride] };
      this.add('Conv', [this.last, this.weight([to, from, 3, 3], from * 9)], attributes);
      this.add('Relu', [this.last]);
    }
    this.add('GlobalAveragePool', [this.last]);
    return this.add('Flatten', [this.last]);
  }

  mean(): this {
    return this.add('ReduceMean', [this.last], { axes: [1], keepdims: 1 });
  }

  private add(op: string, inputs: readonly string[], attributes?: Node['attributes']): this {
    this.last = `${op.toLowerCase()}${this.nodes.length}`;
    this.nodes.push({ op, inputs, outputs: [this.last], attributes });
    return this;
  }

  private weight(dims: readonly number[], inputs: number): string {
    const name = `weight${this.weights.length}`;
    const size = dims.reduce((product, dim) => product * dim, 1);
    const reach = Math.sqrt(6 / inputs);
    const data = Float32Array.from({ length: size }, () => (this.random() * 2 - 1) * reach);
    this.weights.push({ name, dims, data });
    return name;
  }
}
