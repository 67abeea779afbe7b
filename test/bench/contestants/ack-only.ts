/** The limit of broker and client: takes messages and acks them, one ack each. */
import { connect } from 'amqplib';

const { RABBITMQ_URL = '', REQUEST_QUEUE = '' } = process.env;
const connection = await connect(RABBITMQ_URL, { noDelay: true });
const channel = await connection.createChannel();
process.on('SIGTERM', () => process.exit(0));
await channel.prefetch(Number(process.env['PREFETCH']));
await channel.consume(REQUEST_QUEUE, (message) => message && channel.ack(message));
console.log('consuming');
