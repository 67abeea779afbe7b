/** Whether AMQP can carry a text as a name: it has room for 255 bytes, and UTF-8 has up to 3 for a UTF-16 unit. */
export function isShortString(text: string): boolean {
  return text.length <= 85 || Buffer.byteLength(text) <= 255;
}
