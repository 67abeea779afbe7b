import { createHash } from 'node:crypto';
import { Signal } from './signal.js';

/** What became of the requests of a run, in Jepsen's words. */
export interface LedgerCounts {
  /** Published. */
  readonly attempt: number;
  /** Published, and confirmed by the broker. */
  readonly acknowledged: number;
  /** Published, and refused or returned by the broker. */
  readonly refused: number;
  /** With a result. */
  readonly ok: number;
  /** With an error answer. */
  readonly error: number;
  /** Among the dead letters. */
  readonly dead: number;
  /** Acknowledged, and neither a result nor a dead letter. */
  readonly lost: number;
  /** Answers beyond the first to a request. */
  readonly duplicated: number;
  /** Such answers that differ from the first, in bytes or in message id. */
  readonly differing: number;
  /** Not acknowledged, and yet with an outcome. */
  readonly recovered: number;
  /** Answers and dead letters of requests that were never published. */
  readonly unexpected: number;
  /** Dead letters of requests that nothing is wrong with. */
  readonly innocents: number;
  /** Results of another image than the one asked about. */
  readonly wrong: number;
}

/** All that came of one request. */
export interface Outcomes {
  /** Results. */
  results: number;
  /** The codes of its error answers. */
  readonly errorCodes: string[];
  /** The codes of its dead letters. */
  readonly deadCodes: string[];
  /** The message ids of its answers. */
  readonly messageIds: string[];
  /** From its publication to its last answer. */
  answerMs: number;
}

interface Entry extends Outcomes {
  /** The image that was sent. */
  readonly image: number;
  /** True where a dead letter is what the request is to end as. */
  readonly isGuilty: boolean;
  readonly attemptedAt: number;
  isAcknowledged: boolean;
  isOk: boolean;
  isError: boolean;
  isDead: boolean;
  /** Of the first answer. */
  fingerprint?: string;
}

/** An answer as it came. */
export interface SeenAnswer {
  readonly id: string;
  readonly messageId: string;
  readonly content: Buffer;
  readonly isError: boolean;
  /** Of an error answer. */
  readonly code?: string;
  /** False: it is about another image. */
  readonly isRight: boolean;
}

/** Who asked what, and what became of it. */
export class Ledger {
  readonly changes = new Signal();
  /** When the last result came; `performance.now()`. */
  lastOkAt = -Infinity;
  private readonly entries = new Map<string, Entry>();
  /** Acknowledged and without an outcome, by when they were acknowledged. */
  private readonly open = new Map<string, number>();
  private readonly totals = { ok: 0, refused: 0, duplicated: 0, differing: 0, unexpected: 0, wrong: 0 };

  /** A request is about to be published. */
  attempted(id: string, image: number, isGuilty = false): void {
    const state = { isAcknowledged: false, isOk: false, isError: false, isDead: false };
    const outcomes = { results: 0, errorCodes: [], deadCodes: [], messageIds: [], answerMs: 0 };
    this.entries.set(id, { image, isGuilty, attemptedAt: performance.now(), ...state, ...outcomes });
  }

  acknowledged(id: string): void {
    const entry = this.entries.get(id);
    if (entry) entry.isAcknowledged = true;
    if (entry && isLost(entry)) this.open.set(id, performance.now());
    this.changes.poke();
  }

  /** The broker does not take it, or has no queue for it. */
  refused(): void {
    this.totals.refused++;
    this.changes.poke();
  }

  answered({ id, messageId, content, isError, code, isRight }: SeenAnswer): void {
    const entry = this.entries.get(id);
    if (!isError) this.open.delete(id);
    if (!entry) this.totals.unexpected++;
    else {
      const fingerprint = createHash('sha1').update(messageId).update('\n').update(content).digest('base64');
      if (!isRight) this.totals.wrong++;
      entry.messageIds.push(messageId);
      entry.answerMs = performance.now() - entry.attemptedAt;
      if (entry.fingerprint === undefined) entry.fingerprint = fingerprint;
      else {
        this.totals.duplicated++;
        if (entry.fingerprint !== fingerprint) this.totals.differing++;
      }
      if (isError) {
        entry.isError = true;
        entry.errorCodes.push(String(code));
      } else {
        entry.results++;
        if (!entry.isOk) this.totals.ok++;
        entry.isOk = true;
        this.lastOkAt = performance.now();
      }
    }
    this.changes.poke();
  }

  /** @param code why */
  deadLettered(id: string, code: string): void {
    const entry = this.entries.get(id);
    this.open.delete(id);
    if (entry) {
      entry.isDead = true;
      entry.deadCodes.push(code);
    } else this.totals.unexpected++;
    this.changes.poke();
  }

  /** The image that a request was about. */
  imageOf(id: string): number | undefined {
    return this.entries.get(id)?.image;
  }

  /** All that came of a request; `undefined` where it was never published. */
  outcomesOf(id: string): Outcomes | undefined {
    return this.entries.get(id);
  }

  /** True when the request has an outcome. */
  isSettled(id: string): boolean {
    const { isOk, isError, isDead } = this.entries.get(id) ?? {};
    return Boolean(isOk || isError || isDead);
  }

  /** Requests with a result so far. */
  get ok(): number {
    return this.totals.ok;
  }

  /** Requests published so far. */
  get attempts(): number {
    return this.entries.size;
  }

  /** Answers beyond the first to a request, so far. */
  get duplicates(): number {
    return this.totals.duplicated;
  }

  /** Acknowledged requests without an outcome yet: an error answer without its dead letter is none. */
  get waiting(): number {
    return this.open.size;
  }

  /** Those of them that have been waiting for longer. */
  waitingFor(ms: number): number {
    const before = performance.now() - ms;
    let count = 0;
    for (const acknowledgedAt of this.open.values()) {
      if (acknowledgedAt > before) break; // they are in order
      count++;
    }
    return count;
  }

  /** True when each acknowledged request has an outcome; a guilty one is not over before it is among the dead. */
  get isComplete(): boolean {
    return this.open.size === 0;
  }

  /** The requests that are lost so far. */
  get lostIds(): string[] {
    return [...this.entries].filter(([, entry]) => isLost(entry)).map(([id]) => id);
  }

  /** The requests that are dead though nothing is wrong with them, each with the reason. */
  get innocents(): string[] {
    return [...this.entries]
      .filter(([, { isDead, isGuilty }]) => isDead && !isGuilty)
      .map(([id, { deadCodes }]) => `${id}: ${deadCodes.join(', ')}`);
  }

  counts(): LedgerCounts {
    const entries = [...this.entries.values()];
    const count = (isCounted: (entry: Entry) => boolean) => entries.filter(isCounted).length;
    return {
      attempt: entries.length,
      acknowledged: count((entry) => entry.isAcknowledged),
      refused: this.totals.refused,
      ok: this.totals.ok,
      error: count((entry) => entry.isError),
      dead: count((entry) => entry.isDead),
      lost: count(isLost),
      duplicated: this.totals.duplicated,
      differing: this.totals.differing,
      recovered: count(({ isAcknowledged, isOk, isDead }) => !isAcknowledged && (isOk || isDead)),
      unexpected: this.totals.unexpected,
      innocents: count(({ isDead, isGuilty }) => isDead && !isGuilty),
      wrong: this.totals.wrong,
    };
  }
}

function isLost({ isAcknowledged, isOk, isDead }: Entry): boolean {
  return isAcknowledged && !isOk && !isDead;
}
