import { count, Spread } from '../figures.js';
import { scaleFor, tickLabel } from './scale.js';
import { bar, colour, dot, legend, line, MARGIN, path, plot, text, WIDTH } from './svg.js';

const TOP = 52;
const BAR_HEIGHT = 14;
const GROUP_GAP = 10;
const LINE_AREA_HEIGHT = 230;

export interface Series {
  readonly name: string;
  readonly points: readonly { readonly x: number; readonly y: Spread }[];
}

export interface LineChart {
  readonly title: string;
  readonly xLabel: string;
  readonly yLabel: string;
  readonly series: readonly Series[];
}

/** Lines over a number that was varied; whiskers from the least to the most of the rounds. */
export function lineChart({ title, xLabel, yLabel, series }: LineChart): string {
  const names = legend(
    series.map(({ name }) => name),
    TOP,
  );
  const top = TOP + names.height + 18;
  const bottom = top + LINE_AREA_HEIGHT;
  const points = series.flatMap((one) => one.points);
  const xs = [...new Set(points.map(({ x }) => x))].toSorted((a, b) => a - b);
  const xScale = scaleFor(xs);
  const yScale = scaleFor(points.flatMap(({ y }) => [y.min, y.max]));
  const xAt = (value: number) =>
    MARGIN.left + xScale.place(value) * (WIDTH - MARGIN.left - MARGIN.right - 10);
  const yAt = (value: number) => bottom - yScale.place(value) * LINE_AREA_HEIGHT;

  let content = names.content + text(16, top - 12, yLabel, 'faint');
  for (const tick of yScale.ticks) {
    content += line(MARGIN.left, yAt(tick), WIDTH - MARGIN.right, yAt(tick), 'grid');
    content += text(MARGIN.left - 8, yAt(tick) + 4, tickLabel(tick), 'faint', 'end');
  }
  const isWhole = xs.every(Number.isInteger); // of what is counted there are no halves
  for (const tick of xScale.ticks.filter((one) => !isWhole || Number.isInteger(one))) {
    content += line(xAt(tick), bottom, xAt(tick), bottom + 4, 'axis');
    content += text(xAt(tick), bottom + 20, tickLabel(tick), 'faint', 'middle');
  }
  content += line(MARGIN.left, bottom, WIDTH - MARGIN.right, bottom, 'axis');
  content += text((MARGIN.left + WIDTH) / 2, bottom + 42, xLabel, 'faint', 'middle');
  series.forEach((one, index) => {
    content += path(
      one.points.map(({ x, y }) => [xAt(x), yAt(y.median)]),
      colour(index),
    );
    for (const { x, y } of one.points) {
      if (y.min !== y.max) content += line(xAt(x), yAt(y.min), xAt(x), yAt(y.max), 'whisker');
      content += dot(xAt(x), yAt(y.median), colour(index), `${one.name}, ${count(x)}: ${count(y.median, 1)}`);
    }
  });
  return plot(title, bottom + 56, content);
}

export interface BarChart {
  readonly title: string;
  /** What the bars measure, with its unit. */
  readonly label: string;
  readonly digits: number;
  /** Names of the bars in each group. */
  readonly series: readonly string[];
  /** A bar for each of the series; undefined where there is none. */
  readonly groups: readonly { readonly name: string; readonly values: readonly (Spread | undefined)[] }[];
}

/** Groups of bars from left to right, with their values. */
export function barChart({ title, label, digits, series, groups }: BarChart): string {
  const names = legend(series, TOP);
  const top = TOP + names.height;
  const left = 24 + Math.max(...groups.map(({ name }) => name.length)) * 7.2;
  const width = WIDTH - left - 70; // the values stand to the right of the bars
  const values = groups.flatMap((group) =>
    group.values.flatMap((value) => (value ? [value.min, value.max] : [])),
  );
  const scale = scaleFor(values);
  const groupHeight = BAR_HEIGHT * series.length + GROUP_GAP;
  const bottom = top + groupHeight * groups.length;
  const xAt = (value: number) => left + scale.place(value) * width;

  let content = names.content;
  for (const tick of scale.ticks) {
    content += line(xAt(tick), top, xAt(tick), bottom, 'grid');
    content += text(xAt(tick), bottom + 18, tickLabel(tick), 'faint', 'middle');
  }
  groups.forEach((group, row) => {
    const y = top + row * groupHeight + GROUP_GAP / 2;
    content += text(left - 8, y + (BAR_HEIGHT * series.length) / 2 + 4, group.name, 'text', 'end');
    group.values.forEach((value, index) => {
      if (!value) return;
      const at = y + index * BAR_HEIGHT;
      const shown = count(value.median, digits);
      const tip = `${group.name}, ${series[index] ?? ''}: ${shown}`;
      content += bar(left, at, xAt(value.median) - left, BAR_HEIGHT - 2, colour(index), tip);
      const middle = at + BAR_HEIGHT / 2 - 1;
      if (value.min !== value.max) content += line(xAt(value.min), middle, xAt(value.max), middle, 'whisker');
      content += text(xAt(Math.max(value.max, value.median)) + 5, at + 11, shown, 'faint');
    });
  });
  return plot(title, bottom + 48, content + text(left + width / 2, bottom + 38, label, 'faint', 'middle'));
}

export interface StackedChart {
  readonly title: string;
  readonly unit: string;
  readonly series: readonly string[];
  readonly groups: readonly { readonly name: string; readonly values: readonly number[] }[];
}

/** One bar for each group, of parts that add up. */
export function stackedChart({ title, unit, series, groups }: StackedChart): string {
  const names = legend(series, TOP);
  const top = TOP + names.height;
  const rowHeight = 48;
  const bottom = top + rowHeight * groups.length;
  const width = WIDTH - 16 - 32;
  const total = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0);
  const scale = scaleFor([0, ...groups.map(({ values }) => total(values))]);
  const xAt = (value: number) => 16 + scale.place(value) * width;

  let content = names.content;
  for (const tick of scale.ticks) {
    content += line(xAt(tick), top, xAt(tick), bottom, 'grid');
    content += text(xAt(tick), bottom + 18, tickLabel(tick), 'faint', 'middle');
  }
  groups.forEach(({ name, values }, row) => {
    const y = top + row * rowHeight;
    content += text(16, y + 16, `${name}: ${count(total(values), 1)} ${unit}`);
    let from = 0;
    values.forEach((value, index) => {
      const tip = `${series[index] ?? ''}: ${count(value, 2)} ${unit}`;
      content += bar(xAt(from), y + 22, xAt(from + value) - xAt(from), 18, colour(index), tip);
      from += value;
    });
  });
  return plot(title, bottom + 48, content + text(WIDTH / 2, bottom + 38, unit, 'faint', 'middle'));
}
