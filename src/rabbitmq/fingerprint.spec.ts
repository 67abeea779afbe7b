import { describe, expect, it } from '@jest/globals';
import { fingerprint } from './fingerprint.js';

describe('fingerprint', () => {
  it('is the same for the same text, and a whole number that a double holds', () => {
    for (const text of ['', 'a', '0b6f5a1e-3c1d-4f0a-9a51-0f4c2f6f9d11', 'ß→𝄞']) {
      expect(fingerprint(text)).toBe(fingerprint(Buffer.from(text, 'utf16le').toString('utf16le')));
      expect(Number.isSafeInteger(fingerprint(text))).toBe(true);
    }
  });

  it('tells apart ids that count up, in any notation and with any company', () => {
    const texts = Array.from({ length: 50_000 }, (_, index) => [
      String(index),
      `request-${index}`,
      `${index}.0`,
      index.toString(16).padStart(32, '0'),
    ]).flat();
    expect(new Set(texts.map(fingerprint)).size).toBe(new Set(texts).size);
  });

  it('is -1 for what is no text', () => {
    expect([undefined, 1, null].map(fingerprint)).toEqual([-1, -1, -1]);
  });
});
