import { FigureName, Figures, Measurement, Spread, spreadOf } from './figures.js';

/** The measurements of a bench, and what their rounds come to. */
export class Results {
  private readonly all: Measurement[];

  constructor(measurements: readonly Measurement[] = []) {
    this.all = [...measurements];
  }

  get measurements(): readonly Measurement[] {
    return this.all;
  }

  add(measurement: Measurement): void {
    this.all.push(measurement);
  }

  /** Median, least and most of the rounds; undefined where it was not measured. */
  spread(suite: string, subject: string, x: number, figure: FigureName): Spread | undefined {
    const rounds = this.all.filter((one) => one.suite === suite && one.subject === subject && one.x === x);
    return spreadOf(
      rounds.map(({ figures }) => figures[figure] ?? NaN).filter((value) => !Number.isNaN(value)),
    );
  }

  median(suite: string, subject: string, x: number, figure: FigureName): number | undefined {
    return this.spread(suite, subject, x, figure)?.median;
  }

  /** One for each case, in the order in which they were measured first. */
  medians(): Omit<Measurement, 'round'>[] {
    return this.suites().flatMap((suite) =>
      this.subjects(suite).flatMap((subject) =>
        this.xs(suite, subject).map((x) => {
          const names = this.figures(suite).map((name) => [name, this.median(suite, subject, x, name)]);
          return { suite, subject, x, figures: Object.fromEntries(names) as Figures };
        }),
      ),
    );
  }

  /** In the order in which they were measured first. */
  suites(): string[] {
    return unique(this.all.map(({ suite }) => suite));
  }

  subjects(suite: string): string[] {
    return unique(this.all.filter((one) => one.suite === suite).map(({ subject }) => subject));
  }

  /** What a suite varied, ascending. */
  xs(suite: string, subject?: string): number[] {
    const of = this.all.filter((one) => one.suite === suite && (!subject || one.subject === subject));
    return unique(of.map(({ x }) => x)).toSorted((a, b) => a - b);
  }

  /** The figures that a suite has. */
  figures(suite: string): FigureName[] {
    const of = this.all.filter((one) => one.suite === suite);
    return unique(of.flatMap(({ figures }) => Object.keys(figures) as FigureName[]));
  }
}

function unique<T>(values: readonly T[]): T[] {
  return [...new Set(values)];
}
