import { EventEmitter } from 'node:events';
import { Worker } from 'node:worker_threads';
import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { BegunTasks } from './begun-tasks.js';
import { Batch, BatchLateError } from './session.js';
import { buffersOf, InferenceThread } from './inference-thread.js';

interface Asked {
  readonly id: number;
  readonly task: string;
}

/** A thread that answers when the test says so. */
class ManualWorker extends EventEmitter {
  readonly asked: Asked[] = [];

  postMessage(message: Asked): void {
    this.asked.push(message);
  }

  answer(at: number, outcome: { value: unknown } | { error: string } | { isLate: true }): void {
    this.emit('message', { id: this.asked[at]?.id, ...outcome });
  }
}

const batchOf = (...values: number[]): Batch => ({
  tensors: [Float32Array.from(values)],
  dims: [[values.length, 1]],
});

describe('InferenceThread', () => {
  let worker: ManualWorker;
  let thread: InferenceThread;
  let deaths: string[];
  let begun: BegunTasks;

  beforeEach(() => {
    worker = new ManualWorker();
    deaths = [];
    begun = new BegunTasks();
    thread = new InferenceThread(worker as unknown as Worker, ({ message }) => deaths.push(message), begun);
  });

  it('gives each batch its own answer, in whatever order they come', async () => {
    const runs = [thread.run('m', batchOf(1)), thread.run('m', batchOf(2))];
    expect(thread.inHand).toBe(2);
    worker.answer(1, { value: 'second' });
    worker.answer(0, { value: 'first' });
    expect(await Promise.all(runs)).toEqual(['first', 'second']);
    expect(thread.inHand).toBe(0);
  });

  it('fails the batch that the thread could not run, with the reason', async () => {
    const run = thread.run('m', batchOf(1));
    worker.answer(0, { error: 'indices element out of data bounds' });
    await expect(run).rejects.toThrow('indices element out of data bounds');
    expect(deaths).toEqual([]);
  });

  it('fails what it had in hand, and all that comes later, when the thread dies, and says so once', async () => {
    const run = thread.run('m', batchOf(1));
    worker.emit('error', new Error('out of memory'));
    worker.emit('exit', 1);
    await expect(run).rejects.toThrow('an inference thread has ended: out of memory');
    await expect(thread.run('m', batchOf(2))).rejects.toThrow('an inference thread has ended');
    expect(deaths).toEqual(['an inference thread has ended: out of memory']);
  });

  it('takes an exit that nobody asked for as a death', async () => {
    worker.emit('exit', 0);
    expect(deaths).toEqual(['an inference thread has ended: exit code 0']);
    await thread.end();
  });

  it('has ended when it has freed its sessions and the thread is gone', async () => {
    const end = thread.end();
    expect(worker.asked.map(({ task }) => task)).toEqual(['end']);
    worker.answer(0, { value: undefined });
    worker.emit('exit', 0);
    await end;
    expect(deaths).toEqual([]);
  });

  describe('a batch with a deadline', () => {
    beforeEach(() => {
      jest.useFakeTimers({ doNotFake: ['hrtime', 'nextTick', 'queueMicrotask'] });
    });
    afterEach(() => {
      jest.useRealTimers();
    });

    it('is given up at that moment when the thread has not begun it, whatever the thread then says', async () => {
      const run = thread.run('m', batchOf(1), performance.now() + 10);
      const outcome = run.catch((error: unknown) => error);
      await jest.advanceTimersByTimeAsync(9);
      expect(thread.inHand).toBe(1);
      await jest.advanceTimersByTimeAsync(1);
      expect(await outcome).toEqual(new BatchLateError());
      expect(thread.inHand).toBe(0);
      worker.answer(0, { isLate: true });
    });

    it('runs to its end when the thread has begun it by then', async () => {
      const run = thread.run('m', batchOf(1), performance.now() + 10);
      begun.add(worker.asked[0]?.id as number);
      await jest.advanceTimersByTimeAsync(100);
      worker.answer(0, { value: 'outputs' });
      expect(await run).toBe('outputs');
    });

    it('is late when the thread says so', async () => {
      const run = thread.run('m', batchOf(1), performance.now() + 10);
      worker.answer(0, { isLate: true });
      await expect(run).rejects.toThrow(BatchLateError);
    });
  });

  it('moves all tensors but strings and pieces of larger arrays', () => {
    const [numbers, strings, piece] = [Float32Array.of(1), ['a'], new Float32Array(8).subarray(0, 4)];
    expect(buffersOf({ tensors: [numbers, strings, piece] })).toEqual([numbers.buffer]);
  });
});
