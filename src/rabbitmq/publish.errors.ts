/** No queue of that name took the message; the broker has said so by `basic.return`. */
export class UnroutableError extends Error {
  constructor(readonly queue: string) {
    super(`there is no queue '${queue}'`);
    this.name = 'UnroutableError';
  }
}

/** A queue has refused messages for too long for an answer to wait for it: it is full, or its node is not well. */
export class RefusedError extends Error {
  /** @param isItsOwnFault others take messages meanwhile, and it is one requester's own */
  constructor(
    readonly queue: string,
    readonly isItsOwnFault: boolean,
  ) {
    super(`the queue '${queue}' takes no messages; is it full?`);
    this.name = 'RefusedError';
  }
}

/** The broker takes no message of that size; see its `max_message_size`. */
export class TooLargeError extends Error {
  constructor(bytes: number, maxBytes: number) {
    super(`it has ${bytes} bytes, the broker takes ${maxBytes} (max_message_size)`);
    this.name = 'TooLargeError';
  }
}

/** The message is no longer wanted, or this worker is about to end; it may or may not be with the broker. */
export class PublishAbandonedError extends Error {
  constructor() {
    super('the publish was given up');
    this.name = 'PublishAbandonedError';
  }
}
