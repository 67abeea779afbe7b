import { turnNow } from '../turn-clock.js';
import { Backoff } from './backoff.js';
import { Pending } from './outgoing.js';
import { RefusedError } from './publish.errors.js';

/** How long an answer waits for room, while answers to other queues go out: its place in hand may be theirs. */
const ANSWER_WAITS_MS = 5_000;
/** What was full a moment ago may be still. */
const RECENT_MS = 5_000;

interface Accepted {
  readonly queue: string;
  readonly at: number;
}

/** Messages that a queue has refused, as full ones do (`overflow: reject-publish`): they are sent again and again. */
export class Refusals {
  private waiting: Pending[] = [];
  private readonly backoff = new Backoff();
  private lastAt = -Infinity;
  /** The answer that was taken last, and the last one by another queue; as long as others are refused. */
  private accepted: Accepted | undefined;
  private acceptedElsewhere: Accepted | undefined;

  /** @param send sends one again, unless it is not wanted any more */
  constructor(private readonly send: (pending: Pending) => void) {}

  /** True while messages wait to be sent again, or did a moment ago. */
  get isRecent(): boolean {
    return this.waiting.length > 0 || performance.now() - this.lastAt < RECENT_MS;
  }

  /** A message was refused. It is sent again with all others, ever more slowly: a full queue stays so for a while. */
  add(pending: Pending): void {
    this.lastAt = performance.now();
    pending.refusedAt ??= this.lastAt;
    if (this.isInTheWay(pending)) pending.reject(new RefusedError(pending.message.queue));
    else if (this.waiting.push(pending) === 1) setTimeout(() => this.sendAll(), this.backoff.next());
  }

  /** A message was taken. */
  onAccepted({ message, refusedAt }: Pending): void {
    if (refusedAt !== undefined) this.backoff.reset();
    if (!('body' in message) || turnNow() - this.lastAt > RECENT_MS) return;
    const { queue } = message;
    if (this.accepted?.queue !== queue) this.acceptedElsewhere = this.accepted;
    this.accepted = { queue, at: turnNow() };
  }

  sendAll(): void {
    const { waiting } = this;
    this.waiting = [];
    for (const pending of waiting) this.send(pending);
  }

  private isInTheWay({ message, refusedAt = Infinity }: Pending): boolean {
    if (!('body' in message) || this.lastAt - refusedAt < ANSWER_WAITS_MS) return false;
    const other = this.accepted?.queue === message.queue ? this.acceptedElsewhere : this.accepted;
    return other !== undefined && other.at >= refusedAt;
  }
}
