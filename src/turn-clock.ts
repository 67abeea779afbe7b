let turnAt: number | undefined;

function endTurn(): void {
  turnAt = undefined;
}

/**
 * When this turn of the event loop first asked, in ms on the clock of `performance.now()`. A message asks four times,
 * and each new reading costs 88 bytes of garbage.
 */
export function turnNow(): number {
  if (turnAt === undefined) {
    turnAt = performance.now();
    setImmediate(endTurn);
  }
  return turnAt;
}
