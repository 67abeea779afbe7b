/** What went wrong with a request, as clients see it in an error answer and operators in a dead letter. */
export type ErrorCode =
  | 'INVALID_JSON'
  | 'INVALID_REQUEST'
  | 'UNSUPPORTED_ENCODING'
  | 'TOO_LARGE'
  | 'UNKNOWN_MODEL'
  | 'UNKNOWN_INPUT'
  | 'MISSING_INPUT'
  | 'SHAPE_MISMATCH'
  | 'DATATYPE_MISMATCH'
  | 'DEADLINE_EXCEEDED'
  | 'PREPROCESS_FAILED'
  | 'INFERENCE_FAILED'
  | 'CRASH_SUSPECT'
  | 'REPLY_UNROUTABLE'
  | 'REPLY_REFUSED'
  | 'INTERNAL';

const RETRYABLE: ReadonlySet<ErrorCode> = new Set([
  'UNKNOWN_MODEL', // another worker of the queue may have it
  'PREPROCESS_FAILED',
  'INFERENCE_FAILED',
  'REPLY_REFUSED',
  'INTERNAL',
]);

/** A message may name what the producer sent, which may be of any length. */
const MAX_MESSAGE_LENGTH = 500;

/** A request that gets no result. The message says what to change, in one sentence, and quotes no tensor values. */
export class InferenceError extends Error {
  /** True where nothing but this request is to blame: others succeeded at the same, or it asks for what is not here. */
  readonly isOwnFault: boolean;
  /** True when the same request may succeed later. */
  readonly retryable: boolean;

  constructor(
    readonly code: ErrorCode,
    message: string,
    options?: ErrorOptions & { readonly isOwnFault?: boolean; readonly retryable?: boolean },
  ) {
    super(
      message.length > MAX_MESSAGE_LENGTH ? `${message.slice(0, MAX_MESSAGE_LENGTH)}…` : message,
      options,
    );
    this.name = 'InferenceError';
    this.isOwnFault = options?.isOwnFault ?? code === 'UNKNOWN_MODEL';
    this.retryable = options?.retryable ?? RETRYABLE.has(code);
  }

  /** The same, where it has turned out that others succeed at the same. */
  asOwnFault(retryable = this.retryable): InferenceError {
    return new InferenceError(this.code, this.message, { cause: this.cause, isOwnFault: true, retryable });
  }

  /** True when there is a result, and only its way is closed: the queue for it is full, or gone. */
  get isAboutReply(): boolean {
    return this.code === 'REPLY_UNROUTABLE' || this.code === 'REPLY_REFUSED';
  }
}

/** Any failure as an {@link InferenceError}; what is not one already becomes `code`, said to be a failure of `what`. */
export function asInferenceError(error: unknown, code: ErrorCode, what: string): InferenceError {
  if (error instanceof InferenceError) return error;
  const reason = error instanceof Error ? error.message : String(error);
  return new InferenceError(code, `${what}: ${reason}`, { cause: error });
}

/** @param message what is wrong with the request itself, and what to send instead */
export function invalidRequest(message: string): InferenceError {
  return new InferenceError('INVALID_REQUEST', message);
}
