/**
 * A number of 53 bits that stands for a text: two texts have the same once in 10^15. Quick for short ones; not for
 * what somebody may have chosen to be alike.
 *
 * @returns -1 for what is no text
 */
export function fingerprint(text: unknown): number {
  if (typeof text !== 'string') return -1;
  // Two hashes at once (FNV-1a's way, with other multipliers), as 32 bits are too few.
  let high = 0x811c9dc5;
  let low = text.length;
  for (let at = 0; at < text.length; at++) {
    const unit = text.charCodeAt(at);
    high = Math.imul(high ^ unit, 0x01000193);
    low = Math.imul(low ^ unit, 0x9e3779b1);
    low ^= low >>> 15;
  }
  return (high >>> 11) * 2 ** 32 + (low >>> 0);
}
