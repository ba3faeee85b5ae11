/**
Gateway: what the gateway costs beside a bare proxy, measured side by side in one run.

In: options. Out: a table with each figure's budget, or one JSON with --json, and whether every budget is met.
*/
import {availableParallelism} from 'node:os';
import {parseArgs} from 'node:util';
import {type Finding, judge, type Round} from './judge.ts';
import {measure} from './measure.ts';
import {reportOf} from './report.ts';
import {type Row, rowsAt} from './rows.ts';
import {startWorld, type World} from './world.ts';

export const usage =
  'npm run bench gateway -- [--rounds 5] [--seconds 5] [--rate 1000] [--row NAME]… [--profile FOLDER] [--json]';

/** The first round's warm-up also lets every function on the path be compiled. */
const warmMs = {first: 4_000, later: 1_000};

const readOptions = (args: readonly string[]) => {
  const {values} = parseArgs({
    args: [...args],
    options: {
      rounds: {type: 'string', default: '5'},
      seconds: {type: 'string', default: '5'},
      rate: {type: 'string', default: '1000'},
      row: {type: 'string', multiple: true},
      profile: {type: 'string'},
      json: {type: 'boolean', default: false},
    },
  });
  const number = (name: 'rounds' | 'seconds' | 'rate', max: number) => {
    const value = Number(values[name]);
    if (!Number.isInteger(value) || value < 1 || value > max) {
      throw new TypeError(`--${name} is a whole number from 1 to ${max}, got "${values[name]}"`);
    }
    return value;
  };
  const rate = number('rate', 10_000);
  const all = rowsAt(rate);
  const unknown = (values.row ?? []).filter(name => !all.some(row => row.name === name));
  if (unknown.length > 0) {
    throw new TypeError(
      `rows are ${all.map(({name}) => name).join(', ')}; got "${unknown.join(', ')}"`,
    );
  }
  return {
    rounds: number('rounds', 100),
    seconds: number('seconds', 600),
    rows: all.filter(({name}) => values.row === undefined || values.row.includes(name)),
    profile: values.profile,
    json: values.json,
  };
};

const measureRow = async (
  world: World,
  row: Row,
  {rounds, seconds, say}: {rounds: number; seconds: number; say: (line: string) => void},
) => {
  const results: Round[] = [];
  for (let index = 0; index < rounds; index++) {
    const round: Round = {};
    for (const name of row.targets) {
      const sample = await measure(world, row, name, {
        warmMs: index === 0 ? warmMs.first : warmMs.later,
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

/** Resolves with whether every budget is met. */
export const run = async (
  args: readonly string[],
  {say, interrupted}: {say: (line: string) => void; interrupted: Promise<never>},
): Promise<boolean> => {
  const options = readOptions(args);
  const world = await startWorld({profileFolder: options.profile});
  const findings: Finding[] = [];
  const measureRows = async () => {
    for (const row of options.rows) {
      findings.push(...judge(row, await measureRow(world, row, {...options, say})));
    }
  };
  try {
    await Promise.race([measureRows(), interrupted]);
  } finally {
    await world.stop();
  }
  const hasNginx = findings.some(({baseline}) => baseline.name === 'nginx');
  const skipped = hasNginx ? [] : ['bare against nginx: nginx not installed, row skipped'];
  console.log(
    options.json
      ? JSON.stringify({
          node: process.version,
          cores: availableParallelism(),
          rounds: options.rounds,
          seconds: options.seconds,
          findings,
          skipped,
        })
      : reportOf(findings, skipped),
  );
  return findings.every(({met}) => met);
};
