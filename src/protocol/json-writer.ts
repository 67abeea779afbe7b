const FIRST_BYTES = 64 * 1024;
/** The most that a number takes: sign, 17 digits, point and exponent. */
const NUMBER_BYTES = 25;
/** From this length on, a call out of JavaScript is cheaper than a loop. */
const LONG_TEXT = 64;

const MINUS = 0x2d;
const POINT = 0x2e;
const ZERO = 0x30;

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
   * A 32-bit float, in the nine significant digits that tell it from every other. `String` would give the 17 of the
   * double that stands for it, of which a client reads the same float, at three times the cost.
   */
  float32(value: number): this {
    const size = Math.abs(value);
    if (!(size >= 1e-6 && size < 1e9)) return this.number(value);
    this.makeRoom(NUMBER_BYTES);
    if (value < 0) this.bytes[this.at++] = MINUS;
    const whole = Math.floor(size);
    let scale = 1e9; // of the fraction: as many digits as the whole part leaves of nine
    for (let rest = whole; rest >= 1; rest = Math.floor(rest / 10)) scale /= 10;
    for (let rest = size; rest < 0.1; rest *= 10) scale *= 10;
    const fraction = Math.round((size - whole) * scale);
    const carry = fraction >= scale ? 1 : 0;
    this.digits(whole + carry, 1);
    if (fraction > 0 && carry === 0) this.fraction(fraction, scale);
    return this;
  }

  /** What was written since the start. */
  end(): string {
    return this.bytes.toString(this.isAscii ? 'latin1' : 'utf8', 0, this.at);
  }

  private encoded(text: string, start: number): this {
    const length = this.bytes.write(text, start);
    if (length > text.length) this.isAscii = false;
    this.at = start + length;
    return this;
  }

  /** `fraction / scale`, from its point on, without zeros at its end. */
  private fraction(fraction: number, scale: number): void {
    let digits = fraction;
    let places = 0;
    for (let rest = scale; rest > 1; rest /= 10) places++;
    while (digits % 10 === 0) {
      digits /= 10;
      places--;
    }
    this.bytes[this.at++] = POINT;
    this.digits(digits, places);
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
