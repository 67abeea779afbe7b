import { isUtf8 } from 'node:buffer';
import type { ConsumeMessage } from 'amqplib';
import { hasLongInteger } from '../../protocol/exact-input.js';
import { printable } from './letter-table.js';

/** All of a letter, for a person: its properties, its headers, and its body as far as it may be shown. */
export function letterText({ content, properties }: ConsumeMessage, maxBytes: number): string {
  const { headers = {}, ...others } = properties;
  return [
    ...fields(others, ''),
    'headers',
    ...fields(headers, '  '),
    `body, ${content.length} bytes`,
    bodyText(content, maxBytes),
  ].join('\n');
}

/** The same as an object, for a script; a body that is no text is in base64. */
export function letterDocument({ content, properties }: ConsumeMessage): object {
  const { headers, ...others } = properties;
  const body = isUtf8(content) ? { body: content.toString() } : { bodyBase64: content.toString('base64') };
  return { properties: others, headers, ...body };
}

function fields(values: object, indent: string): string[] {
  return Object.entries(values)
    .filter(([, value]) => value !== undefined)
    .map(([name, value]: [string, unknown]) => {
      const text = typeof value === 'string' ? value : JSON.stringify(value);
      return `${indent}${printable(`${name.padEnd(20 - indent.length)}  ${text}`)}`;
    });
}

/** A row of numbers, as `JSON.stringify` spreads it. In a string there would be no line breaks. */
const SPREAD_NUMBERS = /\[\n\s*([-+\d.eE]+(?:,\n\s*[-+\d.eE]+)*)\n\s*\]/g;

/** JSON on several lines, other text as it is, and no more than the first bytes of it. */
function bodyText(content: Buffer, maxBytes: number): string {
  if (!isUtf8(content)) return '(no text; --raw writes it as it is)';
  const shown = Buffer.from(pretty(content.toString()));
  const text = shown.subarray(0, maxBytes).toString().split('\n').map(printable).join('\n');
  const hidden = shown.length - maxBytes;
  return hidden > 0 ? `${text}…\n(${hidden} bytes more; --max-bytes shows more, --raw all)` : text;
}

/** A text with integers that JSON.parse would round is left as it is. */
function pretty(text: string): string {
  if (hasLongInteger(text)) return text;
  try {
    const spread = JSON.stringify(JSON.parse(text), undefined, 2);
    return spread.replace(SPREAD_NUMBERS, (_, numbers: string) => `[${numbers.replace(/\n\s*/g, ' ')}]`);
  } catch {
    return text;
  }
}
