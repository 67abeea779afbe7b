import { turnNow } from '../turn-clock.js';
import { Backoff } from './backoff.js';
import { Pending } from './outgoing.js';
import { RefusedError } from './publish.errors.js';

/** How long an answer waits for room: its place in hand may be that of answers to other queues. */
const ANSWER_WAITS_MS = 5_000;
/** What was full a moment ago may be still. */
const RECENT_MS = 5_000;
/** How long a channel may be refused everything before another is tried. */
const CHANNEL_PATIENCE_MS = 10_000;

interface Accepted {
  readonly queue: string;
  readonly at: number;
}

/** Messages that a queue has refused, as full ones do (`overflow: reject-publish`): they are sent again and again. */
export class Refusals {
  private waiting: Pending[] = [];
  /** Queues that have taken nothing since they first refused something. */
  private readonly full = new Map<string, { readonly since: number; lastAt: number }>();
  private readonly backoff = new Backoff();
  private lastAt = -Infinity;
  /** Since when nothing that was refused has been taken on the present channel. */
  private since = 0;
  private renewedAt = -Infinity;
  /** The answer that was taken last, and the last one by another queue; as long as others are refused. */
  private accepted: Accepted | undefined;
  private acceptedElsewhere: Accepted | undefined;

  /**
   * @param resultsQueue of all who name no queue of their own: for this, answers wait as long as no others go out
   * @param send sends one again, unless it is not wanted any more
   * @param renewChannel has everything sent on another channel from then on
   */
  constructor(
    private readonly resultsQueue: string | undefined,
    private readonly send: (pending: Pending) => void,
    private readonly renewChannel: () => void,
  ) {}

  /** True while messages wait to be sent again, or did a moment ago. */
  get isRecent(): boolean {
    return this.waiting.length > 0 || performance.now() - this.lastAt < RECENT_MS;
  }

  /** A message was refused. It is sent again with all others, ever more slowly: a full queue stays so for a while. */
  add(pending: Pending): void {
    const now = performance.now();
    if (now - this.lastAt > RECENT_MS) this.since = now;
    this.lastAt = now;
    pending.refusedAt ??= now;
    const refusal = this.refusalOf(pending, this.fullSince(pending.message.queue));
    if (refusal) pending.reject(refusal);
    else if (this.waiting.push(pending) === 1) setTimeout(() => this.sendAll(), this.backoff.next());
    this.renewIfStuck();
  }

  /** A message was taken. */
  onAccepted({ message, refusedAt }: Pending): void {
    if (refusedAt !== undefined) {
      this.backoff.reset();
      this.since = turnNow();
    }
    if (!('body' in message) || turnNow() - this.lastAt > RECENT_MS) return;
    const { queue } = message;
    this.full.delete(queue);
    if (this.accepted?.queue !== queue) this.acceptedElsewhere = this.accepted;
    this.accepted = { queue, at: turnNow() };
  }

  sendAll(): void {
    const { waiting } = this;
    this.waiting = [];
    for (const pending of waiting) this.send(pending);
  }

  private renewIfStuck(): void {
    if (this.lastAt - this.since > CHANNEL_PATIENCE_MS) this.renew();
  }

  private renew(): void {
    this.since = this.renewedAt = this.lastAt;
    this.renewChannel();
  }

  private fullSince(queue: string): number {
    let span = this.full.get(queue);
    if (!span || this.lastAt - span.lastAt > RECENT_MS) {
      for (const [name, { lastAt }] of this.full)
        if (this.lastAt - lastAt > RECENT_MS) this.full.delete(name);
      this.full.set(queue, (span = { since: this.lastAt, lastAt: this.lastAt }));
    }
    span.lastAt = this.lastAt;
    return span.since;
  }

  /** Why an answer waits no longer, once it has for long enough, or those before it have, on another channel as well. */
  private refusalOf({ message, refusedAt = Infinity }: Pending, fullSince: number): RefusedError | undefined {
    const { queue } = message;
    const since = Math.min(refusedAt, fullSince);
    if (!('body' in message) || this.lastAt - since < ANSWER_WAITS_MS) return undefined;
    const other = this.accepted?.queue === queue ? this.acceptedElsewhere : this.accepted;
    const doOthersGoOut = other !== undefined && other.at >= since;
    const isForAll = queue === this.resultsQueue;
    if (isForAll && !doOthersGoOut) return undefined;
    if (this.renewedAt >= since) return new RefusedError(queue, doOthersGoOut && !isForAll);
    this.renew();
    return undefined;
  }
}
