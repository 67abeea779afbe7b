/** A body of the binary tensor extension, put together as a client would. */
export interface BinaryBody {
  readonly content: Buffer;
  readonly options: { readonly contentType: string; readonly headers: Record<string, number> };
}

/** @param tensors the bytes of the inputs, in their order */
export function binaryBody(json: object, ...tensors: readonly Uint8Array[]): BinaryBody {
  const head = Buffer.from(JSON.stringify(json));
  return {
    content: Buffer.concat([head, ...tensors]),
    options: {
      contentType: 'application/octet-stream',
      headers: { 'inference-header-content-length': head.length },
    },
  };
}

/** The header of an input whose elements follow as bytes. */
export function binaryInput(name: string, datatype: string, shape: readonly number[], bytes: Uint8Array) {
  return { name, datatype, shape, parameters: { binary_data_size: bytes.length } };
}

/** Elements of `BYTES`: a length of four bytes, little-endian, and UTF-8. */
export function textElements(texts: readonly string[]): Buffer {
  return Buffer.concat(
    texts.flatMap((text) => {
      const bytes = Buffer.from(text);
      return [Buffer.from(Uint32Array.of(bytes.length).buffer), bytes];
    }),
  );
}
