import { describe, expect, it } from '@jest/globals';
import type { ChannelModel, Options } from 'amqplib';
import { readSettings } from '../config/settings.js';
import { EXIT_CONFIG } from '../config/startup-error.js';
import { ensureTopology, queuesOf } from './topology.js';

type Env = Record<string, string>;
const queues = (env: Env = {}) => queuesOf(readSettings({ RETRY_DELAYS_MS: 'none', ...env }));

type Refusal = { code?: number; message: string };

/** A connection that writes down what is asked of the broker, and refuses declarations as it is told to. */
class RecordingConnection {
  readonly asked: string[] = [];
  openChannels = 0;

  /** @param refusals of each queue, in their order; a missing one is refused to `checkQueue` as well */
  constructor(private readonly refusals: Record<string, Refusal[]> = {}) {}

  async createChannel() {
    this.openChannels++;
    return {
      on: () => {},
      assertQueue: async (name: string, { arguments: args }: Options.AssertQueue) =>
        this.answer('assert', name, this.refusals[name]?.shift(), args),
      checkQueue: async (name: string) => this.answer('check', name, this.missing(name)),
      close: async () => void this.openChannels--,
    };
  }

  ensure(env: Env = {}): Promise<readonly string[]> {
    const settings = readSettings({ RETRY_DELAYS_MS: 'none', ...env });
    return ensureTopology(this as unknown as ChannelModel, settings);
  }

  private missing(name: string): Refusal | undefined {
    return this.refusals[name]?.find(({ code }) => code === 404);
  }

  private answer(verb: string, name: string, refusal: Refusal | undefined, args: unknown = {}): void {
    this.asked.push(`${verb} ${name}`);
    this.lastArguments = args as Env;
    if (refusal) throw Object.assign(new Error(), refusal);
  }

  lastArguments: Env = {};
}

/** RabbitMQ's words about a queue that was declared otherwise. */
function inequivalent(argument: string, received: string, current: string): Refusal {
  return {
    code: 406,
    message:
      'Operation failed: QueueDeclare; 406 (PRECONDITION-FAILED) with message "PRECONDITION_FAILED - inequivalent arg ' +
      `'${argument}' for queue 'inference' in vhost '/': received ${received} but current is ${current}"`,
  };
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
    ['check', ['check inference.dead', 'assert inference.dead', 'check inference', 'assert inference']],
    ['none', []],
  ])('does what TOPOLOGY=%s says', async (TOPOLOGY, asked) => {
    const connection = new RecordingConnection();
    expect(await connection.ensure({ TOPOLOGY })).toEqual([]);
    expect(connection.asked).toEqual(asked);
    expect(connection.openChannels).toBe(0);
  });

  it('names the queue, the argument and both values where a queue exists with other arguments', async () => {
    const refusal = inequivalent('x-delivery-limit', "the value '5' of type 'signedint'", 'none');
    const connection = new RecordingConnection({ inference: [refusal] });
    await expect(connection.ensure()).rejects.toMatchObject({
      exitCode: EXIT_CONFIG,
      message:
        "queue 'inference' exists with other arguments: x-delivery-limit is not set, the worker declares 5; " +
        'change the setting, delete the queue, or set TOPOLOGY=none to use it as it is',
    });
  });

  it.each(['assert', 'check'])('says how to come by a queue that is missing (%s)', async (TOPOLOGY) => {
    const connection = new RecordingConnection({ 'inference.dead': [{ code: 404, message: 'NOT_FOUND' }] });
    await expect(connection.ensure({ TOPOLOGY })).rejects.toMatchObject({
      exitCode: EXIT_CONFIG,
      message: expect.stringContaining("queue 'inference.dead' does not exist"),
    });
  });

  it.each(['assert', 'check'])(
    'does not take a queue for missing whose node of a cluster is down (%s)',
    async (TOPOLOGY) => {
      const message =
        "NOT_FOUND - home node 'b@host' of durable queue 'inference' in vhost '/' is down or inaccessible";
      const connection = new RecordingConnection({ inference: [{ code: 404, message }] });
      await expect(connection.ensure({ TOPOLOGY })).rejects.toMatchObject({ name: 'Error', message });
    },
  );

  it.each(['assert', 'check'])(
    'passes on any other failure, which may be over at the next try (%s)',
    async (TOPOLOGY) => {
      const connection = new RecordingConnection({ inference: [{ message: 'connection lost' }] });
      const failure = { name: 'Error', message: 'connection lost' };
      await expect(connection.ensure({ TOPOLOGY })).rejects.toMatchObject(failure);
    },
  );
});

describe('TOPOLOGY=check', () => {
  const check = { TOPOLOGY: 'check' };

  it('creates no queue that is missing', async () => {
    const connection = new RecordingConnection({ 'inference.dead': [{ code: 404, message: 'NOT_FOUND' }] });
    await expect(connection.ensure(check)).rejects.toThrow('does not exist');
    expect(connection.asked).toEqual(['check inference.dead']);
  });

  it('names every difference of a queue that is wrong', async () => {
    const connection = new RecordingConnection({
      inference: [
        inequivalent('x-dead-letter-exchange', "the value '' of type 'longstr'", 'none'),
        inequivalent('x-delivery-limit', "'5'", "'9'"),
        inequivalent('durable', "'true'", "'false'"),
      ],
    });
    await expect(connection.ensure(check)).rejects.toMatchObject({
      exitCode: EXIT_CONFIG,
      message: expect.stringContaining(
        'x-dead-letter-exchange is not set, the worker declares empty; x-delivery-limit is 9, the worker declares 5; ' +
          'durable is false, the worker declares true; ',
      ),
    });
    expect(connection.lastArguments).toMatchObject({ 'x-delivery-limit': 9 });
    expect(connection.lastArguments).not.toHaveProperty('x-dead-letter-exchange');
  });

  it('says what a policy may set, and that it cannot see so', async () => {
    const refusal = inequivalent('x-delivery-limit', "the value '5' of type 'signedint'", 'none');
    expect(await new RecordingConnection({ inference: [refusal] }).ensure(check)).toEqual([
      "the arguments of 'inference': x-delivery-limit is not set, the worker declares 5, which a policy may set",
    ]);
  });

  it('says which queues it may not look at', async () => {
    const refusal = { code: 403, message: 'ACCESS_REFUSED' };
    const connection = new RecordingConnection({ 'inference.retry.1000': [refusal], inference: [refusal] });
    expect(await connection.ensure({ ...check, RETRY_DELAYS_MS: '1000' })).toEqual([
      expect.stringMatching(/^the arguments of 'inference': .*configure/),
      expect.stringMatching(
        /^that 'inference.retry.1000' sends messages back to 'inference' after 1000 ms: .*configure/,
      ),
    ]);
  });

  it.each([
    ['x-max-length', "the value '100' of type 'byte'", 100],
    ['x-some-flag', "the value 'true' of type 'bool'", true],
    ['x-single-active-consumer', "the value 'true' of type 'bool'", true],
    ['x-queue-leader-locator', "the value 'balanced' of type 'longstr'", 'balanced'],
  ])('leaves %s to those who declare the queue', async (argument, current, value) => {
    const connection = new RecordingConnection({ inference: [inequivalent(argument, 'none', current)] });
    expect(await connection.ensure(check)).toEqual([]);
    expect(connection.lastArguments).toMatchObject({ [argument]: value });
  });

  it('refuses a queue that is deleted while it is not used, with what is in it', async () => {
    const connection = new RecordingConnection({
      inference: [inequivalent('x-expires', 'none', "the value '100' of type 'byte'")],
    });
    await expect(connection.ensure(check)).rejects.toThrow('x-expires is 100, the worker declares not set');
  });

  it('stops where a queue of another type does not take the rest', async () => {
    const connection = new RecordingConnection({
      inference: [
        inequivalent('x-queue-type', "'quorum'", "'classic'"),
        { code: 406, message: "PRECONDITION_FAILED - invalid arg 'x-delivery-limit' for queue 'inference'" },
      ],
    });
    await expect(connection.ensure(check)).rejects.toThrow(
      'x-queue-type is classic, the worker declares quorum',
    );
  });
});
