import type { Channel, ChannelModel } from 'amqplib';

/** A refusal closes the channel; on one of its own it harms nothing else. */
export async function onOwnChannel<T>(
  connection: ChannelModel,
  use: (channel: Channel) => Promise<T>,
): Promise<T> {
  const channel = await connection.createChannel();
  channel.on('error', () => {}); // `use` rejects with the same error
  const result = await use(channel);
  channel.close().catch(() => {}); // amqplib waits for its end for ever when the connection is lost meanwhile
  return result;
}
