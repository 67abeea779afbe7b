import type { MessageProperties, Options } from 'amqplib';
import { RESOLVED_MODEL_HEADER } from '../../protocol/request.decoder.js';
import { copiedProperties } from '../../rabbitmq/dead-letter.js';
import { LEFT_OUT_HEADER } from '../../rabbitmq/left-out.js';

/** What says why, when and after how much a request died; as long as it is there, the request is no fresh one. */
const TRACE_OF_DEATH =
  /^x-(error-code|error-message|attempts|attempts-excused|first-failed-at|crashes|deadline|expiration|user-id|death|(first|last)-death-.*)$/;

/**
 * The properties of a dead letter's request when it is sent again: as they were, without the deadline, which the
 * requester has been told of. An `x-model` of the requester's stays: it may be all that says which model was asked for.
 */
export function freshRequest(properties: MessageProperties): Options.Publish {
  const { headers, ...kept } = copiedProperties(properties);
  const { [RESOLVED_MODEL_HEADER]: resolved, [LEFT_OUT_HEADER]: _, ...others } = headers;
  const fresh = Object.entries(others).filter(
    ([name, value]) => !TRACE_OF_DEATH.test(name) && !(name === 'x-model' && value === resolved),
  );
  return { ...kept, headers: Object.fromEntries(fresh) };
}
