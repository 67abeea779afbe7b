import { describe, expect, it } from '@jest/globals';
import type { ChannelModel } from 'amqplib';
import { readSettings } from '../config/settings.js';
import { EXIT_CONFIG } from '../config/startup-error.js';
import { ensureTopology, queuesOf } from './topology.js';

type Env = Record<string, string>;
const queues = (env: Env = {}) => queuesOf(readSettings({ RETRY_DELAYS_MS: 'none', ...env }));

/** A connection that writes down what is asked of the broker, and refuses the queues that it is told to. */
class RecordingConnection {
  readonly asked: string[] = [];
  openChannels = 0;

  constructor(private readonly refusals: Record<string, object> = {}) {}

  async createChannel() {
    this.openChannels++;
    return {
      on: () => {},
      assertQueue: async (name: string) => this.answer('assert', name),
      checkQueue: async (name: string) => this.answer('check', name),
      close: async () => void this.openChannels--,
    };
  }

  ensure(env: Env = {}): Promise<void> {
    const settings = readSettings({ RETRY_DELAYS_MS: 'none', ...env });
    return ensureTopology(this as unknown as ChannelModel, settings);
  }

  private answer(verb: string, name: string): void {
    this.asked.push(`${verb} ${name}`);
    const refusal = this.refusals[name];
    if (refusal) throw Object.assign(new Error(), refusal);
  }
}

describe('queuesOf', () => {
  it('has quorum queues by default: dead letters first, then the requests that lead to them', () => {
    expect(queues()).toEqual([
      {
        name: 'inference.dead',
        options: {
          durable: true,
          arguments: { 'x-queue-type': 'quorum', 'x-delivery-limit': 2_000_000_000 },
        },
      },
      {
        name: 'inference',
        options: {
          durable: true,
          arguments: {
            'x-queue-type': 'quorum',
            'x-delivery-limit': 5,
            'x-dead-letter-exchange': '',
            'x-dead-letter-routing-key': 'inference.dead',
            'x-dead-letter-strategy': 'at-least-once',
            'x-overflow': 'reject-publish',
          },
        },
      },
    ]);
  });

  it('gives a classic queue only the arguments that one knows', () => {
    expect(queues({ QUEUE_TYPE: 'classic', REQUEST_QUEUE: 'jobs' })).toEqual([
      { name: 'jobs.dead', options: { durable: true, arguments: { 'x-queue-type': 'classic' } } },
      {
        name: 'jobs',
        options: {
          durable: true,
          arguments: {
            'x-queue-type': 'classic',
            'x-dead-letter-exchange': '',
            'x-dead-letter-routing-key': 'jobs.dead',
          },
        },
      },
    ]);
  });

  it('takes the delivery limit from DELIVERY_LIMIT', () => {
    expect(queues({ DELIVERY_LIMIT: '9' }).at(-1)?.options.arguments).toMatchObject({
      'x-delivery-limit': 9,
    });
  });

  it('has one queue for each retry delay, from which messages come back to the request queue', () => {
    const [, , first, second, ...more] = queues({ RETRY_DELAYS_MS: '1000,5000,1000' });
    expect(first).toEqual({
      name: 'inference.retry.1000',
      options: {
        durable: true,
        arguments: {
          'x-queue-type': 'quorum',
          'x-message-ttl': 1000,
          'x-dead-letter-exchange': '',
          'x-dead-letter-routing-key': 'inference',
          'x-dead-letter-strategy': 'at-least-once',
          'x-overflow': 'reject-publish',
        },
      },
    });
    expect(second?.name).toBe('inference.retry.5000');
    expect(more).toEqual([]);
  });

  it('has the results queue only when RESULTS_QUEUE is set', () => {
    expect(queues({ RESULTS_QUEUE: 'results' }).map(({ name }) => name)).toEqual([
      'inference.dead',
      'results',
      'inference',
    ]);
  });
});

describe('ensureTopology', () => {
  it.each([
    ['assert', ['assert inference.dead', 'assert inference']],
    ['check', ['check inference.dead', 'check inference']],
    ['none', []],
  ])('does what TOPOLOGY=%s says', async (TOPOLOGY, asked) => {
    const connection = new RecordingConnection();
    await connection.ensure({ TOPOLOGY });
    expect(connection.asked).toEqual(asked);
    expect(connection.openChannels).toBe(0);
  });

  it('names the queue, the argument and both values where a queue exists with other arguments', async () => {
    const message =
      `Operation failed: QueueDeclare; 406 (PRECONDITION-FAILED) with message "PRECONDITION_FAILED - inequivalent arg 'x-delivery-limit' ` +
      `for queue 'inference' in vhost '/': received the value '5' of type 'signedint' but current is none"`;
    const connection = new RecordingConnection({ inference: { code: 406, message } });
    await expect(connection.ensure()).rejects.toMatchObject({
      exitCode: EXIT_CONFIG,
      message:
        "queue 'inference' exists with other arguments: x-delivery-limit is not set, the worker declares 5; " +
        'change the setting, delete the queue, or set TOPOLOGY=check',
    });
  });

  it('says how to come by a queue that is missing', async () => {
    const connection = new RecordingConnection({ 'inference.dead': { code: 404, message: 'NOT_FOUND' } });
    await expect(connection.ensure({ TOPOLOGY: 'check' })).rejects.toMatchObject({
      exitCode: EXIT_CONFIG,
      message: expect.stringContaining("queue 'inference.dead' does not exist"),
    });
  });

  it('does not take a queue for missing whose node of a cluster is down', async () => {
    const message =
      "NOT_FOUND - home node 'b@host' of durable queue 'inference' in vhost '/' is down or inaccessible";
    const connection = new RecordingConnection({ inference: { code: 404, message } });
    await expect(connection.ensure()).rejects.toMatchObject({ name: 'Error', message });
  });

  it('passes on any other failure, which may be over at the next try', async () => {
    const connection = new RecordingConnection({ inference: { message: 'connection lost' } });
    await expect(connection.ensure()).rejects.toMatchObject({ name: 'Error', message: 'connection lost' });
  });
});
