import { describe, expect, it } from '@jest/globals';
import type { ConsumeMessage } from 'amqplib';
import * as fc from 'fast-check';
import { consumeMessage } from '../../test/support/messages.js';
import { AckCoalescer, Link } from './ack.coalescer.js';

type Settled = 'acked' | 'requeued';

/** The broker's end of a channel, by the AMQP specification: closes it upon a tag that is not outstanding. */
class BrokerChannel {
  readonly outstanding = new Set<number>();
  readonly settled = new Map<number, Settled[]>();
  /** Why the broker has closed the channel. */
  channelError: string | undefined;
  /** What is asked of a channel that is about to close throws, as amqplib has it. */
  isClosing = false;
  refusals = 0;

  deliver(tag: number): void {
    this.outstanding.add(tag);
    this.settled.set(tag, []);
  }

  ack({ fields }: ConsumeMessage, isMultiple = false): void {
    this.settle(fields.deliveryTag, isMultiple, 'acked');
  }

  nack({ fields }: ConsumeMessage, isMultiple = true, isRequeued = true): void {
    if (!isRequeued) throw new Error('a nack that drops the message');
    this.settle(fields.deliveryTag, isMultiple, 'requeued');
  }

  nackAll(isRequeued = true): void {
    if (!isRequeued) throw new Error('a nack that drops the messages');
    this.settle(Math.max(...this.outstanding), true, 'requeued');
  }

  private settle(tag: number, isMultiple: boolean, how: Settled): void {
    if (this.isClosing) {
      this.refusals++;
      throw new Error('IllegalOperationError: Channel closing');
    }
    if (!this.outstanding.has(tag)) this.channelError ??= `406: unknown delivery tag ${tag}`;
    for (const one of this.outstanding) {
      if (one !== tag && !(isMultiple && one < tag)) continue;
      this.outstanding.delete(one);
      this.settled.get(one)?.push(how);
    }
  }
}

/** A delivery, as far as its settlement is concerned. */
class Taken implements Link<Taken> {
  readonly message: ConsumeMessage;
  older: Taken | undefined;
  newer: Taken | undefined;

  constructor(readonly receivedAt: number) {
    this.message = consumeMessage({}, {}, receivedAt);
  }

  get tag(): number {
    return this.message.fields.deliveryTag;
  }
}

type Step =
  | {
      readonly act:
        | 'deliver'
        | 'deliver and fetch'
        | 'flush'
        | 'turn'
        | 'hold'
        | 'release'
        | 'hand back all'
        | 'close'
        | 'start closing';
    }
  | { readonly act: 'ack' | 'nack'; readonly pick: number };

const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 40, arbitrary: fc.constant({ act: 'deliver' as const }) },
  { weight: 5, arbitrary: fc.constant({ act: 'deliver and fetch' as const }) },
  { weight: 30, arbitrary: fc.record({ act: fc.constant('ack' as const), pick: fc.nat() }) },
  { weight: 8, arbitrary: fc.record({ act: fc.constant('nack' as const), pick: fc.nat() }) },
  { weight: 8, arbitrary: fc.constantFrom({ act: 'flush' as const }, { act: 'turn' as const }) },
  { weight: 6, arbitrary: fc.constantFrom({ act: 'hold' as const }, { act: 'release' as const }) },
  {
    weight: 1,
    arbitrary: fc.constantFrom(
      { act: 'hand back all' as const },
      { act: 'close' as const },
      { act: 'start closing' as const },
    ),
  },
);

/** A worker that takes and settles deliveries in any order, and what it wants of each. */
class Play {
  readonly broker = new BrokerChannel();
  readonly wanted = new Map<number, Settled>();
  /** Settlements asked for after the channel had gone: nobody may hear of them. */
  readonly tooLate = new Set<number>();
  private readonly acks = new AckCoalescer<Taken>(this.broker);
  private readonly inHand: Taken[] = [];

  async through(steps: readonly Step[]): Promise<this> {
    for (const each of steps) {
      await this.take(each);
      this.expectNothingUnasked();
    }
    return this;
  }

  /** The worker acks the rest, and the event loop turns. */
  async toItsEnd(): Promise<this> {
    while (this.inHand.length > 0) this.settle(0, 'acked');
    this.acks.release();
    await turn();
    return this;
  }

  private async take(each: Step): Promise<void> {
    if (each.act === 'deliver') this.deliver(1);
    else if (each.act === 'deliver and fetch') this.deliver(3);
    else if (each.act === 'ack') this.settle(each.pick, 'acked');
    else if (each.act === 'nack') this.settle(each.pick, 'requeued');
    else if (each.act === 'flush') this.acks.flush();
    else if (each.act === 'turn') await turn();
    else if (each.act === 'hold' || each.act === 'release') this.acks[each.act]();
    else if (each.act === 'hand back all') this.handBackAll();
    else if (each.act === 'close') this.acks.close();
    else this.broker.isClosing = true;
  }

  /** Of several, the first was fetched singly, and is handed over after the others. */
  private deliver(count: number): void {
    if (this.acks.isClosed) return;
    const next = this.broker.settled.size + 1;
    const tags = Array.from({ length: count }, (_, index) => next + index);
    for (const tag of tags) this.broker.deliver(tag);
    for (const tag of [...tags.slice(1), next]) {
      const delivery = new Taken(tag);
      this.acks.take(delivery);
      this.inHand.push(delivery);
    }
  }

  private settle(pick: number, how: Settled): void {
    const [delivery] = this.inHand.splice(pick % Math.max(1, this.inHand.length), 1);
    if (!delivery) return;
    if (this.acks.isClosed) this.tooLate.add(delivery.tag);
    else this.wanted.set(delivery.tag, how);
    if (how === 'acked') this.acks.ack(delivery);
    else this.acks.nack(delivery);
  }

  private handBackAll(): void {
    const { isClosed } = this.acks;
    this.acks.handBackAll();
    expect(this.acks.isClosed).toBe(true);
    if (isClosed || this.broker.isClosing) return;
    expect(this.broker.outstanding.size).toBe(0);
    for (const { tag } of this.inHand) this.wanted.set(tag, 'requeued');
  }

  /** No error, nothing settled twice, and nothing but what was asked for. */
  private expectNothingUnasked(): void {
    const { channelError, settled } = this.broker;
    if (channelError) throw new Error(channelError);
    for (const [tag, [first, ...more]] of settled)
      if (first && (more.length > 0 || first !== this.wanted.get(tag)))
        throw new Error(`delivery ${tag} was ${[first, ...more].join(', ')}, to be ${this.wanted.get(tag)}`);
  }
}

const turn = () => new Promise<void>((resolve) => setImmediate(resolve));

describe('AckCoalescer, whatever is delivered, acked, nacked, flushed, held and closed in whatever order,', () => {
  it('never names a tag that is not outstanding, and settles each as asked, once, and nothing that is in hand', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 60 }), async (steps) => {
        const play = await new Play().through(steps);
        await play.toItsEnd();
        expect(play.broker.channelError).toBeUndefined();
        expect(play.broker.refusals).toBeLessThanOrEqual(1); // told once that it closes, it asks no more
        for (const tag of play.tooLate)
          expect(play.broker.settled.get(tag)).toEqual(play.wanted.has(tag) ? ['requeued'] : []);
      }),
      { numRuns: 2000 },
    );
  });

  it('leaves nothing unsettled as long as the channel is open', async () => {
    const settling = step.filter(({ act }) => act !== 'close' && act !== 'start closing');
    await fc.assert(
      fc.asyncProperty(fc.array(settling, { maxLength: 60 }), async (steps) => {
        const { broker, wanted } = await (await new Play().through(steps)).toItsEnd();
        expect(broker.channelError).toBeUndefined();
        expect(broker.outstanding.size).toBe(0);
        expect([...broker.settled]).toEqual(
          [...broker.settled.keys()].map((tag) => [tag, [wanted.get(tag)]]),
        );
      }),
      { numRuns: 2000 },
    );
  });
});
