import { turnNow } from '../turn-clock.js';
import { Backoff } from './backoff.js';
import { FullQueues } from './full-queues.js';
import { Pending } from './outgoing.js';
import { RefusedError } from './publish.errors.js';

/** How long an answer waits for room: its place in hand may be that of answers to other queues. */
const ANSWER_WAITS_MS = 5_000;
/** A letter waits shorter: it can be put aside. */
const LETTER_WAITS_MS = 1_000;
/** To a queue that is full, one letter in so many ms is sent to find out whether it has room again. */
const PROBE_EVERY_MS = 500;
/** What was full a moment ago may be still. */
const RECENT_MS = 5_000;
/** How long a channel may be refused everything before another is tried. */
const CHANNEL_PATIENCE_MS = 10_000;

interface Accepted {
  readonly queue: string;
  readonly at: number;
}

interface FullSpan {
  readonly since: number;
  lastAt: number;
  /** When the next letter may be sent, once one was given up. */
  probeAt: number | undefined;
}

/**
 * Messages that a queue has refused, as full ones do (`overflow: reject-publish`): they are sent again and again. Letters
 * are given up soon, and answers where they are in the way.
 */
export class Refusals {
  private waiting: Pending[] = [];
  /** Queues that have taken nothing since they first refused something. */
  private readonly full = new Map<string, FullSpan>();
  private readonly backoff = new Backoff();
  private lastAt = -Infinity;
  /** When the present channel was asked for in place of another, and when it was there. */
  private renewalAt = -Infinity;
  private renewedAt = -Infinity;
  private isHurried = false;
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
    private readonly fullQueues: Pick<FullQueues, 'refused' | 'taken'>,
  ) {}

  /** True while messages wait to be sent again, or did a moment ago. */
  get isRecent(): boolean {
    return this.waiting.length > 0 || performance.now() - this.lastAt < RECENT_MS;
  }

  /** The error with which a letter is not even sent, as its queue was full a moment ago. */
  refusalAtOnce({ message, refusedAt }: Pending): RefusedError | undefined {
    if ('body' in message || refusedAt !== undefined) return undefined;
    const span = this.full.get(message.queue);
    const now = performance.now();
    if (span?.probeAt === undefined || now - span.lastAt > RECENT_MS) return undefined;
    if (now < span.probeAt) return new RefusedError(message.queue, false);
    span.probeAt = now + PROBE_EVERY_MS;
    return undefined;
  }

  /** A message was refused. It is sent again with all others, ever more slowly: a full queue stays so for a while. */
  add(pending: Pending): void {
    const now = performance.now();
    this.lastAt = now;
    pending.refusedAt ??= now;
    const span = this.spanOf(pending.message.queue);
    const refusal =
      'body' in pending.message ? this.answerRefusal(pending, span) : this.letterRefusal(pending, span);
    if (refusal) pending.reject(refusal);
    else if (this.waiting.push(pending) === 1) setTimeout(() => this.sendAll(), this.backoff.next());
    if (now - Math.max(span.since, this.renewalAt) > CHANNEL_PATIENCE_MS) this.renew();
  }

  /** Messages go out on another channel from now on. */
  onChannel(): void {
    if (this.renewalAt > this.renewedAt) this.renewedAt = performance.now();
  }

  /** A message was taken. */
  onAccepted({ message, refusedAt }: Pending): void {
    const isLetter = !('body' in message);
    if (refusedAt !== undefined) this.backoff.reset();
    if (isLetter) this.fullQueues.taken(message.queue);
    if (turnNow() - this.lastAt > RECENT_MS) return;
    const { queue } = message;
    this.full.delete(queue);
    if (isLetter) return;
    if (this.accepted?.queue !== queue) this.acceptedElsewhere = this.accepted;
    this.accepted = { queue, at: turnNow() };
  }

  /** The worker is about to end: letters wait no longer. */
  hurry(): void {
    this.isHurried = true;
    this.sendAll();
  }

  sendAll(): void {
    const { waiting } = this;
    this.waiting = [];
    for (const pending of waiting) this.send(pending);
  }

  private renew(): void {
    this.renewalAt = this.lastAt;
    this.renewChannel();
  }

  /** Whether what has been refused since then has been so on another channel as well; if not, it will be. */
  private isRenewedSince(since: number): boolean {
    if (this.renewalAt < since) this.renew();
    return this.renewedAt >= since;
  }

  private spanOf(queue: string): FullSpan {
    let span = this.full.get(queue);
    if (!span || this.lastAt - span.lastAt > RECENT_MS) {
      for (const [name, { lastAt }] of this.full)
        if (this.lastAt - lastAt > RECENT_MS) this.full.delete(name);
      this.full.set(queue, (span = { since: this.lastAt, lastAt: this.lastAt, probeAt: undefined }));
    }
    span.lastAt = this.lastAt;
    return span;
  }

  /** Why a letter waits no longer, once it has for a while, on another channel as well. */
  private letterRefusal({ message: { queue } }: Pending, span: FullSpan): RefusedError | undefined {
    const isTooSoon = this.lastAt - span.since < LETTER_WAITS_MS;
    if (!this.isHurried && (isTooSoon || !this.isRenewedSince(span.since))) return undefined;
    span.probeAt ??= this.lastAt + PROBE_EVERY_MS;
    const refusal = new RefusedError(queue, false);
    this.fullQueues.refused(queue, refusal.message);
    return refusal;
  }

  /** Why an answer waits no longer, once it has for long enough, or those before it have, on another channel as well. */
  private answerRefusal(
    { message: { queue }, refusedAt = Infinity }: Pending,
    span: FullSpan,
  ): RefusedError | undefined {
    const since = Math.min(refusedAt, span.since);
    if (this.lastAt - since < ANSWER_WAITS_MS) return undefined;
    const other = this.accepted?.queue === queue ? this.acceptedElsewhere : this.accepted;
    const doOthersGoOut = other !== undefined && other.at >= since;
    const isForAll = queue === this.resultsQueue;
    if (isForAll && !doOthersGoOut) return undefined;
    return this.isRenewedSince(since) ? new RefusedError(queue, doOthersGoOut && !isForAll) : undefined;
  }
}
