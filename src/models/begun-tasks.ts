/** Which of its tasks a thread has begun, in memory that it shares with the main thread: known there without asking. */
export class BegunTasks {
  private readonly last: Int32Array;

  /** @param memory that of the other side */
  constructor(readonly memory = new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT)) {
    this.last = new Int32Array(memory);
  }

  /** @param id one more than that of the task before: they are begun in the order asked */
  add(id: number): void {
    Atomics.store(this.last, 0, id);
  }

  /** Whether a task has been begun, or ended. */
  includes(id: number): boolean {
    return ((Atomics.load(this.last, 0) - id) | 0) >= 0; // ids beyond 32 bits wrap around
  }
}
