import { TestEnvironment } from 'jest-environment-node';

/**
 * Jest runs tests in a realm of their own, whose typed arrays are not those of Node's addons: ONNX Runtime's
 * `Tensor` would refuse them (microsoft/onnxruntime#16622). This hands Node's own to the tests.
 */
export default class OnnxEnvironment extends TestEnvironment {
  constructor(config, context) {
    super(config, context);
    const typedArrays = [
      ArrayBuffer,
      Uint8Array,
      Uint16Array,
      Uint32Array,
      Int8Array,
      Int16Array,
      Int32Array,
      Float32Array,
      Float64Array,
      BigInt64Array,
      BigUint64Array,
    ];
    for (const array of typedArrays) this.global[array.name] = array;
  }
}
