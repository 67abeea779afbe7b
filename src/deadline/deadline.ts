import { InferenceError } from '../inference/inference.errors.js';

/** The answer to a request whose deadline has passed, which is then not inferred. */
export function deadlineExceeded(deadline: number, where: string, now = performance.now()): InferenceError {
  const late = Math.max(0, now - deadline);
  return new InferenceError(
    'DEADLINE_EXCEEDED',
    `the deadline passed ${late.toFixed(0)} ms ago ${where}; allow more time in \`expiration\` or \`parameters.timeout\``,
  );
}

/** The earliest deadline of those that have one. */
export function earliestDeadline(items: readonly { readonly deadline?: number }[]): number | undefined {
  let earliest = Infinity;
  for (const { deadline = Infinity } of items) if (deadline < earliest) earliest = deadline;
  return earliest === Infinity ? undefined : earliest;
}
