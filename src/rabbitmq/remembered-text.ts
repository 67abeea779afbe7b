/** A text that is mostly the one that was read last: comparing bytes is cheaper than another string. */
export class RememberedText {
  private bytes: Buffer = Buffer.alloc(0);
  private text = '';

  read(source: Buffer, start: number, end: number): string {
    if (!this.isSame(source, start, end)) {
      this.bytes = Buffer.from(source.subarray(start, end));
      this.text = this.bytes.toString('utf8');
    }
    return this.text;
  }

  private isSame(source: Buffer, start: number, end: number): boolean {
    const { bytes } = this;
    if (end - start !== bytes.length) return false;
    for (let index = 0; index < bytes.length; index++)
      if (source[start + index] !== bytes[index]) return false;
    return true;
  }
}
