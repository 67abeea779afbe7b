import type { Channel, ConsumeMessage } from 'amqplib';
import { AckCoalescer } from './ack.coalescer.js';

/**
 * The consumer on one channel. AMQP fixes how many messages it may hold when it begins, so to change that it is
 * cancelled and begins again under another tag.
 */
export class Consumer {
  /** How many messages it may hold; 0 while it is cancelled. */
  size = 0;
  private wanted = 0;
  private begun = 0;
  private changing: Promise<void> | undefined;

  /** @param onMessage told each message, and `null` when the broker cancels the consumer */
  constructor(
    private readonly channel: Pick<Channel, 'prefetch' | 'get' | 'checkQueue' | 'consume' | 'cancel'>,
    private readonly acks: AckCoalescer,
    private readonly source: { readonly queue: string; readonly name: string; readonly canGet: boolean },
    private readonly onMessage: (message: ConsumeMessage | null) => void,
  ) {}

  /** Lets it hold that many messages, or none. Of several wishes the last counts. */
  resize(size: number): Promise<void> {
    this.wanted = size;
    return (this.changing ??= this.change());
  }

  private get tag(): string {
    const { name } = this.source;
    return this.begun === 1 ? name : `${name} #${this.begun}`;
  }

  private async change(): Promise<void> {
    await Promise.resolve(); // or it could be over before it is known to go on
    try {
      while (this.size !== this.wanted && !this.acks.isClosed) {
        if (this.size > 0) await this.cancel();
        else await this.begin(this.wanted);
      }
    } finally {
      // In the same turn as the last look at what is wanted: a wish must not be taken for one that is being seen to.
      this.changing = undefined;
    }
  }

  private async begin(size: number): Promise<void> {
    await this.channel.prefetch(size);
    this.begun++;
    this.size = size; // messages may come with the broker's answer
    try {
      await this.channel.consume(this.source.queue, this.onMessage, { consumerTag: this.tag });
    } catch (error) {
      this.size = 0;
      throw error;
    }
  }

  /**
   * Each ack makes room for one message more. What the broker assigns to a consumer while it cancels it never arrives,
   * goes back to the queue, and counts as delivered. So no acks until it is cancelled; and by a message fetched
   * singly, which the queue gives in its turn, it is known that those before have had their effect. Where the queue
   * allows no fetching, it is asked for its length instead.
   */
  private async cancel(): Promise<void> {
    this.acks.hold();
    try {
      await this.awaitAcks();
      await this.channel.cancel(this.tag);
    } catch {
      // The channel is gone, and the consumer with it.
    }
    this.size = 0;
    this.acks.release();
  }

  private async awaitAcks(): Promise<void> {
    const { queue, canGet } = this.source;
    const last = canGet && (await this.channel.get(queue));
    if (last) this.onMessage(last as unknown as ConsumeMessage);
    if (!canGet) await this.channel.checkQueue(queue);
  }
}
