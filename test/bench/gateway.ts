/**
Gateway: what the gateway costs beside a bare proxy and its peers, measured side by side in one run.

In: options. Out: a table with each figure's budget, or one JSON with --json, and whether every budget is met.
*/
import {mkdtemp, rm} from 'node:fs/promises';
import {availableParallelism, loadavg, tmpdir} from 'node:os';
import {join} from 'node:path';
import {rounded} from './figures.ts';
import {type Finding, judge, type Round} from './judge.ts';
import {measure} from './measure.ts';
import {type Options, readOptions} from './options.ts';
import {type Program, programOf} from './program.ts';
import {reportOf} from './report.ts';
import type {Row} from './rows.ts';
import type {StreamsFinding} from './streams/judge.ts';
import {measureStreams} from './streams/measure.ts';
import {startWorld, type World} from './world.ts';

export {usage} from './options.ts';

type Say = (line: string) => void;

/**
The first time that a process is asked, its functions are compiled, with two cores for longer than one would think; the first
round of a row compiles what only this row uses.
*/
const warmMs = {process: 10_000, row: 4_000, round: 1_000};

const measureRow = async (
  world: World,
  row: Row,
  {rounds, seconds, warmed, say}: {rounds: number; seconds: number; warmed: Set<string>; say: Say},
) => {
  const warmOf = (target: string, index: number) => {
    if (!warmed.has(target)) {
      warmed.add(target);
      return warmMs.process;
    }
    return index === 0 ? warmMs.row : warmMs.round;
  };
  const results: Round[] = [];
  for (let index = 0; index < rounds; index++) {
    const round: Round = {};
    for (const name of row.targets) {
      const sample = await measure(world, row, name, {
        warmMs: warmOf(name === 'gateway' ? name : `${name} ${row.model}`, index),
        measuredMs: seconds * 1_000,
      });
      if (sample) {
        round[name] = sample;
        say(
          `${row.name} ${index + 1}/${rounds} ${name}: ${sample.cpuMicros.toFixed(1)} µs, ` +
            `${Math.round(sample.perSecond)}/s, p50 ${sample.p50Ms.toFixed(1)} ms, p99 ${sample.p99Ms.toFixed(1)} ms`,
        );
      }
    }
    results.push(round);
  }
  return results;
};

const within = async <Result>(
  options: Parameters<typeof startWorld>[0],
  interrupted: Promise<never>,
  work: (world: World) => Promise<Result>,
): Promise<Result> => {
  const world = await startWorld(options);
  try {
    return await Promise.race([work(world), interrupted]);
  } finally {
    await world.stop();
  }
};

const measureRows = async (
  world: World,
  {rows, ...options}: Pick<Options, 'rows' | 'rounds' | 'seconds'> & {say: Say},
) => {
  const findings: Finding[] = [];
  const warmed = new Set<string>();
  for (const row of rows) {
    findings.push(...judge(row, await measureRow(world, row, {...options, warmed})));
  }
  const {requests} = await world.stores.traces();
  if (requests === 0) {
    throw new Error('no trace arrived, and tracing is part of what is measured');
  }
  return findings;
};

/** The comparisons of a row that came to nothing, since what it is compared with is not there. */
const skippedOf = (row: Row, findings: readonly Finding[]) =>
  row.comparisons
    .filter(
      ({baseline}) =>
        !findings.some(finding => finding.row === row.name && finding.baseline.name === baseline),
    )
    .map(({baseline}) => `${row.name} against ${baseline}: not installed, skipped`);

type Found = Readonly<{
  findings: readonly (Finding | StreamsFinding)[];
  skipped: readonly string[];
}>;

const measureAll = async (
  {rows, open, rounds, seconds, nodeArguments}: Options,
  {program, say, interrupted}: {program: Program; say: Say; interrupted: Promise<never>},
): Promise<Found> => {
  const started = {program, nodeArguments, say};
  const findings: (Finding | StreamsFinding)[] = [];
  const skipped: string[] = [];
  if (rows.length > 0) {
    const found = await within({rows, ...started}, interrupted, world =>
      measureRows(world, {rows, rounds, seconds, say}),
    );
    findings.push(...found);
    skipped.push(...rows.flatMap(row => skippedOf(row, found)));
  }
  if (open) {
    // In a world of its own: what other rows left in the heap is not its memory.
    const streamed = {rows: [{model: 'slow', targets: ['gateway']}], ...started} as const;
    findings.push(
      await within(streamed, interrupted, world => measureStreams(world, {...open, say})),
    );
  }
  return {findings, skipped};
};

/** Resolves with whether every budget is met. */
export const run = async (
  args: readonly string[],
  {say, interrupted}: {say: Say; interrupted: Promise<never>},
): Promise<boolean> => {
  const options = readOptions(args);
  const {rounds, seconds, variant} = options;
  const folder = await mkdtemp(join(tmpdir(), 'sluice-bench-gateway-'));
  try {
    const program = await programOf(variant, folder);
    const {findings, skipped} = await measureAll(options, {program, say, interrupted});
    const machine = {
      node: process.version,
      cores: availableParallelism(),
      load: rounded(loadavg()[0] as number, 1),
    };
    console.log(
      options.json
        ? JSON.stringify({...machine, variant, rounds, seconds, findings, skipped})
        : reportOf(machine, findings, skipped),
    );
    return findings.every(({met}) => met);
  } finally {
    await rm(folder, {recursive: true, force: true});
  }
};
