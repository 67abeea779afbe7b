/** A queue that gives from its head without moving the rest: of a model that takes one row at a time, a million may wait. */
export class Fifo<T> {
  private items: (T | undefined)[] = [];
  private head = 0;

  get length(): number {
    return this.items.length - this.head;
  }

  get first(): T | undefined {
    return this.items[this.head];
  }

  push(item: T): void {
    this.items.push(item);
  }

  /** The first item, if there is one. */
  shift(): T | undefined {
    const item = this.first;
    if (this.length > 0) this.forget(1);
    return item;
  }

  /** The items from its head up to the first that is not wanted. */
  takeWhile(isWanted: (item: T) => boolean): T[] {
    let end = this.head;
    while (end < this.items.length && isWanted(this.items[end] as T)) end++;
    const taken = this.items.slice(this.head, end) as T[];
    this.forget(taken.length);
    return taken;
  }

  /** Takes out an item wherever it is; quick near the head. @returns whether it was there */
  remove(item: T): boolean {
    const at = this.items.indexOf(item, this.head);
    if (at < 0) return false;
    if (at === this.head) this.forget(1);
    else this.items.splice(at, 1);
    return true;
  }

  /** Takes out all that match, in their order; the others keep theirs. */
  extract(matches: (item: T) => boolean): T[] {
    const extracted: T[] = [];
    const rest: T[] = [];
    for (const item of this.takeWhile(() => true)) (matches(item) ? extracted : rest).push(item);
    this.items = rest;
    this.head = 0;
    return extracted;
  }

  /** What is gone is let go of at once; its places are, when they are more than half. */
  private forget(count: number): void {
    this.items.fill(undefined, this.head, this.head + count);
    this.head += count;
    if (this.head * 2 <= this.items.length) return;
    this.items = this.items.slice(this.head);
    this.head = 0;
  }
}
