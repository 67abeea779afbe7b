const FIRST_BYTES = 64 * 1024;
/** The most that a number takes: sign, 17 digits, point and exponent. */
const NUMBER_BYTES = 25;
/** From this length on, a call out of JavaScript is cheaper than a loop. */
const LONG_TEXT = 64;

const COMMA = 0x2c;
const MINUS = 0x2d;
const POINT = 0x2e;
const ZERO = 0x30;
/** Up to that of the smallest number that is written without an exponent. */
const POWERS_OF_TEN = Array.from({ length: 16 }, (_, power) => 10 ** power);

/**
 * Puts JSON together in bytes, in memory that is used again and again. Strings that are joined piece by piece would
 * leave more garbage than all else that happens to a message.
 */
export class JsonWriter {
  private bytes = Buffer.allocUnsafeSlow(FIRST_BYTES);
  private at = 0;
  private isAscii = true;

  /** Forgets what was written before, also by somebody who failed in the middle of it. */
  start(): this {
    this.at = 0;
    this.isAscii = true;
    if (this.bytes.length > FIRST_BYTES) this.bytes = Buffer.allocUnsafeSlow(FIRST_BYTES);
    return this;
  }

  /** JSON that is right as it is. */
  raw(json: string): this {
    this.makeRoom(json.length * 3); // UTF-8 has up to 3 bytes for a UTF-16 unit
    const start = this.at;
    if (json.length < LONG_TEXT)
      for (let index = 0; index < json.length; index++) {
        const unit = json.charCodeAt(index);
        if (unit > 0x7f) return this.encoded(json, start);
        this.bytes[this.at++] = unit;
      }
    else this.encoded(json, start);
    return this;
  }

  /** A string, quoted. */
  string(value: string): this {
    return this.raw(quote(value));
  }

  /** A number that JSON has, with all its digits; `null` for another, as `JSON.stringify` has it. */
  number(value: number): this {
    return this.raw(value - value === 0 ? String(value) : 'null');
  }

  /**
   * The 32-bit floats `from` to `to` (excluded) with commas between them, in the nine significant digits that tell each
   * from every other. `String` would give the 17 of the double that stands for it, of which a client reads the same
   * float, at three times the cost.
   */
  float32s(values: Float32Array, from: number, to: number): this {
    this.makeRoom((to - from) * (NUMBER_BYTES + 1));
    for (let index = from; index < to; index++) {
      if (index > from) this.bytes[this.at++] = COMMA;
      this.digitsOf(values[index] as number);
    }
    return this;
  }

  /** A 32-bit float, as {@link float32s} writes them. */
  float32(value: number): this {
    this.makeRoom(NUMBER_BYTES);
    this.digitsOf(value);
    return this;
  }

  /** What was written since the start. */
  end(): string {
    return this.bytes.toString(this.isAscii ? 'latin1' : 'utf8', 0, this.at);
  }

  /** A 32-bit float, where there is room for it. */
  private digitsOf(value: number): void {
    const size = Math.abs(value);
    if (!(size > 0 && size < 1e9)) {
      this.number(value);
      return;
    }
    if (value < 0) this.bytes[this.at++] = MINUS;
    if (size < 1e-6) this.small(size);
    else this.plain(size);
  }

  private encoded(text: string, start: number): this {
    const length = this.bytes.write(text, start);
    if (length > text.length) this.isAscii = false;
    this.at = start + length;
    return this;
  }

  /** From 10⁻⁶ to below 10⁹: `12.5`. */
  private plain(size: number): void {
    const whole = Math.floor(size);
    let places = 9; // after the point: as many as the whole part leaves of nine, zeros before the first not counted
    for (let rest = whole; rest >= 1; rest /= 10) places--;
    for (let rest = size; rest < 0.1; rest *= 10) places++;
    const scale = POWERS_OF_TEN[places] as number;
    const fraction = Math.round((size - whole) * scale);
    if (fraction >= scale) return this.digits(whole + 1, 1);
    this.digits(whole, 1);
    if (fraction > 0) this.fraction(fraction, places);
  }

  /** Below 10⁻⁶: `1.25e-7`. */
  private small(size: number): void {
    let exponent = -7;
    let scaled = size * 1e7;
    for (; scaled < 1; scaled *= 10) exponent--;
    const digits = Math.round(scaled * 1e8);
    const first = Math.floor(digits / 1e8); // 10 where it was rounded up to the next power
    this.digits(first, 1);
    if (digits > first * 1e8) this.fraction(digits - first * 1e8, 8);
    this.raw('e-').digits(-exponent, 1);
  }

  /** The point and `places` digits after it, but no zeros at the end. */
  private fraction(digits: number, places: number): void {
    let rest = digits;
    let count = places;
    for (; rest % 10 === 0; rest /= 10) count--;
    this.bytes[this.at++] = POINT;
    this.digits(rest, count);
  }

  /** A whole number below 10⁹, with zeros before it up to `places` digits. */
  private digits(value: number, places: number): void {
    let count = 1;
    for (let limit = 10; limit <= value; limit *= 10) count++;
    if (count < places) count = places;
    let rest = value | 0;
    for (let index = this.at + count - 1; index >= this.at; index--) {
      const next = (rest / 10) | 0;
      this.bytes[index] = ZERO + rest - next * 10;
      rest = next;
    }
    this.at += count;
  }

  private makeRoom(bytes: number): void {
    if (this.at + bytes <= this.bytes.length) return;
    const larger = Buffer.allocUnsafeSlow(2 * this.bytes.length + bytes);
    this.bytes.copy(larger, 0, 0, this.at);
    this.bytes = larger;
  }
}

/** A JSON string. Names and ids are mostly plain: then no escaping is needed. */
export function quote(value: string): string {
  return /^[\w .:/-]*$/.test(value) ? `"${value}"` : JSON.stringify(value);
}
