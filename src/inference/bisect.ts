/**
 * Runs all items together; when that fails, halves them until each item that fails is alone. The others get
 * their results: batch-mates are strangers. One bad item among n costs about 2·log2(n) further runs.
 */
export async function runBisecting<T, R>(
  items: readonly T[],
  run: (items: readonly T[]) => Promise<readonly R[]>,
): Promise<(R | Error)[]> {
  try {
    return [...(await run(items))];
  } catch (error) {
    if (items.length === 1) return [error instanceof Error ? error : new Error(String(error))];
    const middle = items.length >> 1;
    const left = await runBisecting(items.slice(0, middle), run);
    return [...left, ...(await runBisecting(items.slice(middle), run))];
  }
}
