/** What is allocated at a time for answers. */
const BLOCK_BYTES = 1 << 20;

/**
 * What a load generator notes of each message, for after the run, in plain memory: an object for each would make
 * collections of garbage that stop it for 30 ms, in which answers seem late.
 */
export class Exchanges {
  /** By message, on the clock of `performance.now()`, in ms: when it was due, sent and answered (0: not yet). */
  dueAt = new Float64Array(1024);
  sentAt = new Float64Array(1024);
  answeredAt = new Float64Array(1024);
  /** Where its answer is: in which block, from where, how long. */
  private places = new Uint32Array(3 * 1024);
  private readonly blocks: Buffer[] = [];
  private used = BLOCK_BYTES;

  send(index: number, dueAt: number, sentAt: number): void {
    if (index >= this.dueAt.length) this.grow();
    this.dueAt[index] = dueAt;
    this.sentAt[index] = sentAt;
  }

  /** @returns false when it has been answered already, or was never sent */
  receive(index: number, content: Buffer, at: number): boolean {
    if (!this.sentAt[index] || this.answeredAt[index]) return false;
    this.answeredAt[index] = at;
    if (this.used + content.length > BLOCK_BYTES) {
      this.blocks.push(Buffer.allocUnsafeSlow(Math.max(BLOCK_BYTES, content.length)));
      this.used = 0;
    }
    this.places.set([this.blocks.length - 1, this.used, content.length], 3 * index);
    content.copy(this.blocks.at(-1) as Buffer, this.used);
    this.used += content.length;
    return true;
  }

  /** undefined where there is none yet */
  answerTo(index: number): Buffer | undefined {
    if (!this.answeredAt[index]) return undefined;
    const [block = 0, start = 0, length = 0] = this.places.subarray(3 * index);
    return this.blocks[block]?.subarray(start, start + length);
  }

  private grow(): void {
    this.dueAt = twice(this.dueAt);
    this.sentAt = twice(this.sentAt);
    this.answeredAt = twice(this.answeredAt);
    const places = new Uint32Array(2 * this.places.length);
    places.set(this.places);
    this.places = places;
  }
}

function twice(array: Float64Array<ArrayBuffer>): Float64Array<ArrayBuffer> {
  const larger = new Float64Array(2 * array.length);
  larger.set(array);
  return larger;
}
