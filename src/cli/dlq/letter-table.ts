import { LetterSummary } from './letter-summary.js';

const COLUMNS: readonly [string, (letter: LetterSummary, now: number) => string][] = [
  ['#', ({ position }) => String(position)],
  [
    'age',
    ({ firstFailedAt }, now) => (firstFailedAt === undefined ? '-' : age(now - Date.parse(firstFailedAt))),
  ],
  ['code', ({ code }) => code],
  ['model', ({ model }) => model ?? '-'],
  ['attempts', ({ attempts }) => String(attempts ?? '-')],
  ['message_id', ({ messageId, correlationId }) => messageId ?? correlationId ?? '-'],
  ['error', ({ error }) => error ?? '-'],
];

/**
 * The letters, one a line below a headline.
 *
 * @param width what a line is cut to: the terminal's columns, or Infinity
 */
export function letterTable(letters: readonly LetterSummary[], now: number, width: number): string {
  const rows = [
    COLUMNS.map(([name]) => name),
    ...letters.map((letter) => COLUMNS.map(([, read]) => printable(read(letter, now)))),
  ];
  const widths = COLUMNS.map((_, column) =>
    rows.reduce((widest, row) => Math.max(widest, row[column]?.length ?? 0), 0),
  );
  return rows
    .map((row) =>
      row
        .map((cell, column) => cell.padEnd(widths[column] ?? 0))
        .join('  ')
        .trimEnd(),
    )
    .map((line) => (line.length > width ? `${line.slice(0, width - 1)}…` : line))
    .join('\n');
}

/** How many letters there are of each code and model, the most first. */
export function letterTotals(letters: readonly LetterSummary[]): string {
  const counts = new Map<string, number>();
  for (const { code, model } of letters) {
    const kind = printable(model === undefined ? code : `${code} ${model}`);
    counts.set(kind, (counts.get(kind) ?? 0) + 1);
  }
  const lines = [...counts].toSorted(([, a], [, b]) => b - a).map(([kind, count]) => `${count} × ${kind}`);
  return lines.join('\n');
}

/** Text of others on a terminal: without the control characters that could steer it. */
export function printable(value: string): string {
  return value.replace(/[\p{Cc}\p{Cf}\u2028\u2029]/gu, ' ');
}

/** In the largest unit that it fills: `45s`, `12m`, `3h`, `2d`. */
function age(ms: number): string {
  const seconds = Math.max(0, Math.floor(ms / 1000));
  if (seconds < 60) return `${seconds}s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)}m`;
  if (seconds < 48 * 3600) return `${Math.floor(seconds / 3600)}h`;
  return `${Math.floor(seconds / 86_400)}d`;
}
