import { describe, expect, it } from '@jest/globals';
import * as fc from 'fast-check';
import { consumeMessage, SettlingChannel } from '../../test/support/messages.js';
import { AckCoalescer } from './ack.coalescer.js';
import { Delivery } from './delivery.js';

/**
 * What may befall a delivery: its result is confirmed, or is returned, or comes too late and its dead letter is
 * confirmed; it is handed back because nothing found a place, or given up; the channel closes, the consumer is cancelled,
 * the worker drains.
 */
const EVENTS = [
  'confirm',
  'return',
  'deadline',
  'hand back',
  'given up',
  'channel closes',
  'consumer is cancelled',
  'drain ends',
  'event loop turns',
] as const;
type Event = (typeof EVENTS)[number];

/** How what a delivery is for ends it, if it is not over by then. */
const ENDINGS: Partial<Record<Event, 'ack' | 'handBack' | 'drop'>> = {
  confirm: 'ack',
  return: 'ack', // once its dead letter is confirmed
  deadline: 'ack', // likewise
  'hand back': 'handBack',
  'given up': 'drop',
};

interface Step {
  readonly event: Event;
  readonly tag: number;
}

const DELIVERIES = 4;
const steps = fc.array(
  fc.record({ event: fc.constantFrom(...EVENTS), tag: fc.integer({ min: 1, max: DELIVERIES }) }),
  { maxLength: 30 },
);

class Play {
  readonly channel = new SettlingChannel();
  readonly acks = new AckCoalescer(this.channel);
  readonly timesSettled = new Map<number, number>();
  readonly deliveries = Array.from({ length: DELIVERIES }, (_, index) => this.deliver(index + 1));
  readonly handedBack: number[] = [];
  /** The first thing that ended each while the channel was open. */
  readonly firstEnd = new Map<number, 'ack' | 'handBack' | 'drop'>();

  async through(all: readonly Step[]): Promise<this> {
    for (const each of all) await this.take(each);
    await turn();
    return this;
  }

  private deliver(tag: number): Delivery {
    this.timesSettled.set(tag, 0);
    const onHandedBack = () => void this.handedBack.push(tag);
    const onSettled = () => void this.timesSettled.set(tag, (this.timesSettled.get(tag) ?? 0) + 1);
    return new Delivery(consumeMessage({}, {}, tag), this.acks, {
      onSettled,
      onHandedBack,
      onResting: () => {},
    });
  }

  private async take({ event, tag }: Step): Promise<void> {
    const delivery = this.deliveries[tag - 1] as Delivery;
    const ending = ENDINGS[event];
    if (ending) {
      if (!delivery.isStale && !this.firstEnd.has(tag)) this.firstEnd.set(tag, ending);
      // As the pipeline does: nothing is told the broker that has it again, and the end of a failure is a drop.
      delivery[ending]();
      if (event !== 'confirm') delivery.drop();
    } else if (event === 'event loop turns') await turn();
    else if (event === 'drain ends') this.acks.handBackAll();
    else this.acks.close();
  }
}

const turn = () => new Promise<void>((resolve) => setImmediate(resolve));

/** Each tag that a settlement stands for. */
function tagsOf(settlement: string, outstanding: readonly number[]): number[] {
  const tag = Number(/\d+/.exec(settlement)?.[0]);
  if (settlement === 'nack all') return [...outstanding];
  return settlement.endsWith('and below') ? outstanding.filter((one) => one <= tag) : [tag];
}

describe('Delivery, whatever befalls it in whatever order,', () => {
  it('tells its custodian that it is settled exactly once, as soon as something has ended it, and never before', () =>
    fc.assert(
      fc.asyncProperty(steps, async (all) => {
        const ended = new Set(all.filter(({ event }) => ENDINGS[event]).map(({ tag }) => tag));
        const { timesSettled } = await new Play().through(all);
        for (const [tag, times] of timesSettled) expect([tag, times]).toEqual([tag, ended.has(tag) ? 1 : 0]);
      }),
      { numRuns: 3000 },
    ));

  it('tells its custodian that it was handed back exactly when that is what ended it', () =>
    fc.assert(
      fc.asyncProperty(steps, async (all) => {
        const ends = all.filter(({ event }) => ENDINGS[event]);
        const firsts = ends.filter((end, index) => ends.findIndex(({ tag }) => tag === end.tag) === index);
        const expected = firsts.filter(({ event }) => ENDINGS[event] === 'handBack').map(({ tag }) => tag);
        expect((await new Play().through(all)).handedBack).toEqual(expected);
      }),
      { numRuns: 1000 },
    ));

  it('tells the broker at most once, and of what ended it first', () =>
    fc.assert(
      fc.asyncProperty(steps, async (all) => {
        const { channel, firstEnd } = await new Play().through(all);
        let outstanding = Array.from({ length: DELIVERIES }, (_, index) => index + 1);
        for (const settlement of channel.settlements) {
          const tags = tagsOf(settlement, outstanding);
          for (const tag of tags) {
            expect(outstanding).toContain(tag);
            const end = firstEnd.get(tag);
            if (settlement.startsWith('ack')) expect(end).toBe('ack');
            else if (settlement === 'nack all') expect(end ?? 'drop').toBe('drop');
            else expect(end).toBe('handBack');
          }
          outstanding = outstanding.filter((tag) => !tags.includes(tag));
        }
      }),
      { numRuns: 3000 },
    ));

  it('tells the broker so for certain while the channel stays open', () =>
    fc.assert(
      fc.asyncProperty(steps, async (all) => {
        const open = all.filter(
          ({ event }) => event !== 'channel closes' && event !== 'consumer is cancelled',
        );
        const { channel, firstEnd } = await new Play().through(open);
        let outstanding = Array.from({ length: DELIVERIES }, (_, index) => index + 1);
        for (const settlement of channel.settlements) {
          const tags = tagsOf(settlement, outstanding);
          outstanding = outstanding.filter((tag) => !tags.includes(tag));
        }
        for (const [tag, end] of firstEnd) if (end !== 'drop') expect(outstanding).not.toContain(tag);
        if (open.some(({ event }) => event === 'drain ends')) expect(outstanding).toEqual([]);
      }),
      { numRuns: 3000 },
    ));
});
