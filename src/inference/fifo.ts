/** A queue that gives from its head without moving the rest: one request may have a million rows. */
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

  /** Up to `count` items from its head. */
  take(count: number): T[] {
    const taken = this.items.slice(this.head, this.head + count) as T[];
    this.forget(taken.length);
    return taken;
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
