const TEXTS = [
  '',
  ' ',
  'null',
  '[]',
  '{}',
  '{"data"',
  '{"data":[1,2,3]}',
  '{"data":[NaN]}',
  '{"data":{"__proto__":[]}}',
  '{"model":"none such","data":[0]}',
  '{"inputs":[{"name":"x","shape":[-1,64],"datatype":"FP32","data":[]}]}',
  '{"inputs":[{"name":"x","shape":[1e9,1e9],"datatype":"FP32","data":[1]}]}',
  '{"pattern":"infer"}',
  '{"pattern":"none such","data":{}}',
  '['.repeat(20_000),
  '\uFEFF{}',
];
const MAX_BYTES = 300;

/** A body that is no request: a known nuisance, or just bytes. */
export function garbage(random: (end: number) => number): Buffer {
  if (random(2) === 0) return Buffer.from(TEXTS[random(TEXTS.length)] ?? '');
  // Never a JSON object, whatever follows.
  return Buffer.from([0xff, ...Array.from({ length: random(MAX_BYTES) }, () => random(256))]);
}
