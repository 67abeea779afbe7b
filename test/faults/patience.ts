/**
 * The same promise, for so long.
 *
 * @param what names it in the error
 * @throws Error when it takes longer, or when the signal comes first; what was waited for may go on
 */
export async function within<T>(
  promise: Promise<T>,
  patienceMs: number,
  what: string,
  signal?: AbortSignal,
): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  let onAbort = () => {};
  const end = new Promise<never>((_, reject) => {
    onAbort = () => reject(new Error(`${what}: interrupted`));
    timer = setTimeout(() => reject(new Error(`${what}: not within ${patienceMs / 1000} s`)), patienceMs);
    signal?.addEventListener('abort', onAbort);
    if (signal?.aborted) onAbort();
  });
  try {
    return await Promise.race([promise, end]);
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener('abort', onAbort);
    promise.catch(() => {}); // it may fail when nobody waits any more
  }
}
