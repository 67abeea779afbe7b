const SPACE = /[ \t\n\r]*/y;
/** In a string. One pattern for strings with all their escapes overflows the stack of V8's regular expressions. */
const CHARACTERS = /[ !#-[\]-\uffff]*/y;
const ESCAPE = /\\(?:["\\/bfnrt]|u[\da-fA-F]{4})/y;
const NUMBER = String.raw`-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?`;
const SCALAR = new RegExp(`${NUMBER}|true|false|null`, 'y');
/** Elements of an array, many at once: a body may have millions. */
const ELEMENTS = new RegExp(String.raw`(?:${NUMBER}[ \t\n\r]*,[ \t\n\r]*){1,100}`, 'y');
/** Numbers that JSON does not have, as languages write them: Python's `json` writes `NaN` and `-Infinity`. */
const NOT_FINITE = /-?(?:nan|inf(?:inity)?)(?!\w)/iy;

/** Where a text stops being JSON. It never quotes the text, but for the names of numbers. */
export interface JsonFault {
  /** The length of the text where more should follow. */
  readonly at: number;
  /** `NaN`, `-Infinity` or the like, where that is what stands there. */
  readonly number?: string;
}

/**
 * Finds why JSON.parse refuses a text. V8's own message tells the place of some faults only, and quotes the text.
 *
 * @returns undefined where the text is JSON
 */
export function findFault(text: string): JsonFault | undefined {
  const at = new Scanner(text).scan();
  if (at === undefined) return undefined;
  NOT_FINITE.lastIndex = at;
  return { at, number: NOT_FINITE.exec(text)?.[0] };
}

/** Goes through a text as RFC 8259 has it. Not recursive: a body may be nested a million deep. */
class Scanner {
  private at = 0;
  /** What ends the arrays and objects that are open here, the innermost last. */
  private readonly closers: string[] = [];

  constructor(private readonly text: string) {}

  /** @returns where the text stops being JSON */
  scan(): number | undefined {
    let mayClose = false;
    for (;;) {
      this.take(SPACE);
      while (this.closers.at(-1) === ']' && this.take(ELEMENTS)) mayClose = false;
      if (!(mayClose && this.takeCloser())) {
        if (this.closers.at(-1) === '}' && !this.takeKey()) return this.at;
        mayClose = this.takeOpener();
        if (mayClose) continue;
        if (!this.takeString() && !this.take(SCALAR)) return this.at;
      }
      do this.take(SPACE);
      while (this.takeCloser());
      if (this.closers.length === 0) return this.at < this.text.length ? this.at : undefined;
      if (!this.takeCharacter(',')) return this.at;
      mayClose = false;
    }
  }

  private takeOpener(): boolean {
    if (this.takeCharacter('[')) this.closers.push(']');
    else if (this.takeCharacter('{')) this.closers.push('}');
    else return false;
    return true;
  }

  private takeCloser(): boolean {
    const closer = this.closers.at(-1);
    if (closer === undefined || !this.takeCharacter(closer)) return false;
    this.closers.pop();
    return true;
  }

  private takeKey(): boolean {
    if (!this.takeString()) return false;
    this.take(SPACE);
    if (!this.takeCharacter(':')) return false;
    return this.take(SPACE);
  }

  private takeString(): boolean {
    if (!this.takeCharacter('"')) return false;
    do this.take(CHARACTERS);
    while (this.take(ESCAPE));
    return this.takeCharacter('"');
  }

  private takeCharacter(character: string): boolean {
    if (this.text[this.at] !== character) return false;
    this.at++;
    return true;
  }

  private take(pattern: RegExp): boolean {
    pattern.lastIndex = this.at;
    if (!pattern.test(this.text)) return false;
    this.at = pattern.lastIndex;
    return true;
  }
}
