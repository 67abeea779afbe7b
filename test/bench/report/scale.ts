/** From a value to its place on an axis. */
export interface Scale {
  readonly ticks: readonly number[];
  /** @returns 0 at the start of the axis, 1 at its end */
  place(value: number): number;
}

/** Values further apart than this, as a ratio, are shown on a logarithmic axis. */
const LOGARITHMIC_FROM = 20;

/** An axis for these values: logarithmic where they span decades, else linear from 0. */
export function scaleFor(values: readonly number[], tickCount = 5): Scale {
  const positive = values.filter((value) => value > 0);
  const largest = Math.max(...positive);
  if (positive.length === 0) return linearScale(1, tickCount);
  const isLogarithmic =
    positive.length === values.length && largest / Math.min(...positive) >= LOGARITHMIC_FROM;
  return isLogarithmic ? logScale(Math.min(...positive), largest) : linearScale(largest, tickCount);
}

/** From 0 to the first tick at or above `largest`; ticks at 1, 2 or 5 times a power of ten. */
export function linearScale(largest: number, tickCount = 5): Scale {
  const step = niceStep(largest / tickCount);
  const count = Math.ceil(Number((largest / step).toFixed(9)));
  const ticks = Array.from({ length: count + 1 }, (_, index) => Number((index * step).toPrecision(12)));
  const end = ticks.at(-1) as number;
  return { ticks, place: (value) => value / end };
}

/** Between powers of ten; where there are few, with ticks at their 2 and 5 as well. */
export function logScale(smallest: number, largest: number): Scale {
  const from = Math.floor(Math.log10(smallest) + 1e-9);
  const to = Math.max(Math.ceil(Math.log10(largest) - 1e-9), from + 1);
  const factors = to - from <= 2 ? [1, 2, 5] : [1];
  const powers = Array.from({ length: to - from + 1 }, (_, index) => 10 ** (from + index));
  const ticks = powers
    .flatMap((power) => factors.map((factor) => power * factor))
    .filter((tick) => tick <= 10 ** to);
  return { ticks, place: (value) => (Math.log10(value) - from) / (to - from) };
}

function niceStep(raw: number): number {
  const power = 10 ** Math.floor(Math.log10(raw));
  return power * ([1, 2, 5, 10].find((factor) => factor * power >= raw * 0.999999) as number);
}

/** A tick in few characters: `0.5`, `200`, `20 k`, `1.5 M`. */
export function tickLabel(value: number): string {
  if (value >= 1e6) return `${Number((value / 1e6).toPrecision(3))} M`;
  if (value >= 1e4) return `${Number((value / 1e3).toPrecision(3))} k`;
  return value.toLocaleString('en', { maximumSignificantDigits: 3 });
}
