/**
 * Runs all items together; when that fails, halves them until each item that fails is alone. The others get
 * their results: batch-mates are strangers. One bad item among n costs at most 2·log2(n) further runs.
 */
export async function runBisecting<T, R>(
  items: readonly T[],
  run: (items: readonly T[]) => Promise<readonly (R | Error)[]>,
): Promise<(R | Error)[]> {
  try {
    return [...(await run(items))];
  } catch (error) {
    if (items.length === 1) return [error instanceof Error ? error : new Error(String(error))];
    return halve(items, run);
  }
}

/** Runs the halves of items that have failed together. */
async function halve<T, R>(
  items: readonly T[],
  run: (items: readonly T[]) => Promise<readonly (R | Error)[]>,
): Promise<(R | Error)[]> {
  const middle = items.length >> 1;
  const left = await runBisecting(items.slice(0, middle), run);
  const right = items.slice(middle);
  // When nothing fails on the left, the right is what fails: running it whole would only show that again.
  const isRightBad = right.length > 1 && !left.some((answer) => answer instanceof Error);
  return [...left, ...(await (isRightBad ? halve(right, run) : runBisecting(right, run)))];
}
