/**
Main: `npm run bench gateway`: what the gateway costs beside a bare proxy, measured side by side in one run.

In: `gateway` (the only bench yet), options. Out: a table with each figure's budget, or one JSON with --json; exit code 1
when a budget is not met. Progress goes to stderr.
*/
import {once} from 'node:events';
import {availableParallelism} from 'node:os';
import {fileURLToPath} from 'node:url';
import {parseArgs} from 'node:util';
import {type Finding, judge, type Round} from './judge.ts';
import {measure} from './measure.ts';
import {reportOf} from './report.ts';
import {type Row, rowsAt} from './rows.ts';
import {startWorld, type World} from './world.ts';

const usage = `npm run bench gateway -- [--rounds 5] [--seconds 5] [--rate 1000] [--row NAME]… [--profile FOLDER] [--json]`;

/** The first round's warm-up also lets every function on the path be compiled. */
const warmMs = {first: 4_000, later: 1_000};

const readOptions = () => {
  const {values, positionals} = parseArgs({
    allowPositionals: true,
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
  if (positionals.length !== 1 || positionals[0] !== 'gateway') {
    throw new TypeError(
      `expected "gateway", the only bench there is, got "${positionals.join(' ')}"`,
    );
  }
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

const say = (line: string) => void process.stderr.write(`${line}\n`);

const measureRow = async (world: World, row: Row, rounds: number, seconds: number) => {
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

const main = async () => {
  process.chdir(fileURLToPath(new URL('../..', import.meta.url)));
  const options = readOptions();
  // Listened for from the start: PostgreSQL runs in a session of its own, and nobody else would end it.
  const interrupt = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.once(signal, () => interrupt.abort(new Error(signal)));
  }
  const interrupted = once(interrupt.signal, 'abort').then(() => {
    throw interrupt.signal.reason;
  });
  const world = await startWorld({profileFolder: options.profile});
  const findings: Finding[] = [];
  const measureRows = async () => {
    for (const row of options.rows) {
      findings.push(...judge(row, await measureRow(world, row, options.rounds, options.seconds)));
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
  process.exitCode = findings.every(({met}) => met) ? 0 : 1;
};

await main().catch(error => {
  say(error instanceof TypeError ? `${error.message}\n${usage}` : String(error.stack ?? error));
  // The row that was interrupted still waits for its end.
  process.exit(2);
});
