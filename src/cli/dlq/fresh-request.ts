import type { MessageProperties, Options } from 'amqplib';
import { copiedProperties } from '../../rabbitmq/dead-letter.js';

/** What says why, when and after how much a request died; as long as it is there, the request is no fresh one. */
const TRACE_OF_DEATH =
  /^x-(error-code|error-message|attempts|attempts-excused|first-failed-at|crashes|deadline|expiration|user-id|death|(first|last)-death-.*)$/;

/**
 * The properties of a dead letter's request when it is sent again: as they were, without the deadline, which the
 * requester has been told of. `x-model` stays: it may be all that says which model was asked for.
 */
export function freshRequest(properties: MessageProperties): Options.Publish {
  const { headers, ...kept } = copiedProperties(properties);
  const fresh = Object.entries(headers).filter(([name]) => !TRACE_OF_DEATH.test(name));
  return { ...kept, headers: Object.fromEntries(fresh) };
}
