import { linearScale, tickLabel } from '../../bench/report/scale.js';
import { bar, colour, legend, line, MARGIN, path, plot, text } from '../../bench/report/svg.js';
import { FaultRecord } from '../fault-record.js';
import { ChaosReport } from './chaos-report.js';

const WIDTH = 1120;
const LEGEND_TOP = 52;
const BAND = { top: 104, height: 212 };
/** Neighbouring seconds are drawn as one. */
const SEAM = 1;
const NOT_READY = { top: 352, height: 10 };
const LOW = { top: 398, height: 90 };
const LABEL_WIDTH = 16;
/** Above what is labelled, and above the numbers of the faults. */
const LABEL_RISE = 20;
const MAX_POINTS = 500;
/** Of the rate: what has waited comes at once, and would make all else look small. */
const PEAK_SHARE = 5;
/** What the names of the kinds begin with. */
const GROUPS = ['worker', 'link', 'broker', 'queue'];
const NOT_READY_COLOUR = '#cf222e';
/** Half-transparent: the line is to be seen through it, and the faint part is the recovery. */
const DURING = '88';
const AFTER = '33';

/** Throughput over the run, the faults as bands behind it, and what waited. */
export function timelineChart({ samples, faults, ranMs, drainMs, ratePerS }: ChaosReport): string {
  const totalMs = Math.max(ranMs + drainMs, samples.at(-1)?.atMs ?? 0, 1);
  const ticks = linearScale(totalMs / 60_000, 10).ticks.filter((tick) => tick * 60_000 <= totalMs);
  const xAt = (ms: number) => MARGIN.left + (ms / totalMs) * (WIDTH - MARGIN.left - MARGIN.right);
  const bottom = LOW.top + LOW.height;

  let content = legend(
    GROUPS.map((group) => `${group} fault`),
    LEGEND_TOP,
  ).content;
  content += bands(faults, xAt, bottom);
  const most = PEAK_SHARE * ratePerS;
  content += panel(binned(samples, 'results', most), BAND, `results/s, up to ${most}`, xAt, 4);
  content += panel(binned(samples, 'waiting', Infinity), LOW, 'requests waiting', xAt, 5);
  content += readiness(samples, xAt);
  for (const tick of ticks) {
    content += line(xAt(tick * 60_000), bottom, xAt(tick * 60_000), bottom + 4, 'axis');
    content += text(xAt(tick * 60_000), bottom + 20, tickLabel(tick), 'faint', 'middle');
  }
  content += text((MARGIN.left + WIDTH) / 2, bottom + 40, 'minutes', 'faint', 'middle');
  return plot('Throughput under faults', bottom + 54, content, WIDTH);
}

function bands(faults: readonly FaultRecord[], xAt: (ms: number) => number, bottom: number): string {
  let content = '';
  let labelledTo = 0;
  for (const { number, kind, atMs, healedMs, recoveryMs = 0 } of faults) {
    const fill = colour(groupOf(kind));
    const from = xAt(atMs);
    const tip = `${number}: ${kind}, ${seconds(healedMs - atMs)}, recovered in ${seconds(recoveryMs)}`;
    content += bar(from, BAND.top, xAt(healedMs) - from, bottom - BAND.top, fill + DURING, tip);
    const recovered = xAt(healedMs + recoveryMs) - xAt(healedMs);
    if (recovered >= 1)
      content += bar(xAt(healedMs), BAND.top, recovered, bottom - BAND.top, fill + AFTER, tip);
    if (from < labelledTo) continue;
    content += text(from, BAND.top - 4, String(number), 'faint');
    labelledTo = from + LABEL_WIDTH;
  }
  return content;
}

function panel(
  points: readonly (readonly [ms: number, value: number])[],
  { top, height }: { readonly top: number; readonly height: number },
  label: string,
  xAt: (ms: number) => number,
  colourIndex: number,
): string {
  const scale = linearScale(Math.max(1, ...points.map(([, value]) => value)), height > 100 ? 5 : 2);
  const yAt = (value: number) => top + height - scale.place(value) * height;
  let content = text(WIDTH - MARGIN.right, top - LABEL_RISE, label, 'faint', 'end');
  for (const tick of scale.ticks) {
    content += line(MARGIN.left, yAt(tick), WIDTH - MARGIN.right, yAt(tick), tick === 0 ? 'axis' : 'grid');
    content += text(MARGIN.left - 8, yAt(tick) + 4, tickLabel(tick), 'faint', 'end');
  }
  return (
    content +
    path(
      points.map(([ms, value]) => [xAt(ms), yAt(value)]),
      colour(colourIndex),
    )
  );
}

/** Where a worker said that it was not ready; darker where more of them did. */
function readiness(samples: ChaosReport['samples'], xAt: (ms: number) => number): string {
  const most = Math.max(...samples.map(({ notReady }) => notReady));
  let content = text(WIDTH - MARGIN.right, NOT_READY.top - LABEL_RISE, 'workers not ready', 'faint', 'end');
  samples.forEach(({ atMs, notReady }, index) => {
    if (notReady === 0) return;
    const from = xAt(samples[index - 1]?.atMs ?? 0) - SEAM;
    const fill = notReady === most ? NOT_READY_COLOUR : NOT_READY_COLOUR + DURING;
    const tip = `${seconds(atMs)}: ${notReady} not ready`;
    content += bar(from, NOT_READY.top, xAt(atMs) + SEAM - from, NOT_READY.height, fill, tip);
  });
  return content;
}

/** Means of as many seconds as make the points few enough to be told apart, cut off at `most`. */
function binned(
  samples: ChaosReport['samples'],
  field: 'results' | 'waiting',
  most: number,
): [number, number][] {
  const size = Math.ceil(samples.length / MAX_POINTS);
  const bins: [number, number][] = [];
  for (let from = 0; from < samples.length; from += size) {
    const bin = samples.slice(from, from + size);
    const mean = bin.reduce((sum, sample) => sum + sample[field], 0) / bin.length;
    bins.push([bin[0]?.atMs ?? 0, Math.min(mean, most)]);
  }
  return bins;
}

/** What comes by way of the queues has no prefix in common. */
function groupOf(kind: string): number {
  const index = GROUPS.findIndex((group) => kind.startsWith(`${group}-`));
  return index < 0 ? GROUPS.indexOf('queue') : index;
}

function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(1)} s`;
}
