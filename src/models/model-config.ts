import { z } from 'zod';

const perElement = z.union([z.number(), z.array(z.number()).min(1)]);
const divisor = z.number().refine((value) => value !== 0, 'it divides, so it must not be 0');

/** `model.json`: what a model file does not say of itself. Everything is optional. */
export const modelConfigSchema = z.strictObject({
  /** The name of each class, in the order of the scores in the model's first floating-point output. */
  labels: z.array(z.string()).min(1).optional(),
  /** `"off"`: each request runs alone. */
  batching: z.preprocess(
    (value) => (value === 'off' ? { isOff: true } : value),
    z
      .strictObject({
        /** Largest batch, in rows. Default: `BATCH_MAX_SIZE`. */
        maxSize: z.number().int().min(1).max(4096).optional(),
        /** Longest wait for company, in ms from the oldest row on. Default: `BATCH_MAX_WAIT_MS`. */
        maxWaitMs: z.number().min(0).max(10_000).optional(),
        /** Requests share runs though nothing has proved that they may, and answers are not compared with those alone. */
        trusted: z.boolean().optional(),
        isOff: z.literal(true).optional(),
      })
      .default({}),
  ),
  preprocess: z
    .strictObject({
      /** The simulated I/O wait before a request's transform, in ms. */
      ioDelayMs: z.number().int().min(0).max(600_000).default(0),
      /** Each element is multiplied by this … */
      scale: perElement.optional(),
      /** … then this is subtracted: one number, or a list repeated along the last dimension … */
      mean: perElement.optional(),
      /** … and the difference is divided by this. */
      std: z.union([divisor, z.array(divisor).min(1)]).optional(),
    })
    .prefault({}),
  session: z
    .strictObject({
      /** Graph optimisations of ONNX Runtime. */
      graphOptimizationLevel: z.enum(['disabled', 'basic', 'extended', 'layout', 'all']).optional(),
      /** ONNX Runtime's own memory arena: faster, but it never shrinks. */
      enableCpuMemArena: z.boolean().optional(),
    })
    .default({}),
});

export type ModelConfig = z.output<typeof modelConfigSchema>;
