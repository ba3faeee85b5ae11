/**
Main: `npm run chaos:delivery`: events through real Redis Streams and Kafka while consumers and broker are killed with SIGKILL.

In: options. Out: a table for each run, or one line of JSON with --json; exit code 1 unless every effect is there exactly once
and duplicates were delivered, 2 for a wrong option. Progress goes to stderr.
*/
import {parseArgs} from 'node:util';
import {environmentName} from '../../helpers/database.ts';
import {startTestDatabase} from '../../runner/database.ts';
import {kinds} from './log.ts';
import {jsonOf, judge, tableOf} from './report.ts';
import {type Break, type Figures, type RunOptions, runDelivery} from './run.ts';

const usage =
  'npm run chaos:delivery -- [--events 100000] [--broker redis|kafka|both] [--batch 1] [--seed 1] [--kills 40] [--restarts 2] [--minutes 30] [--break no-once|ack-first] [--json]';

const readOptions = () => {
  const {values} = parseArgs({
    options: {
      events: {type: 'string', default: '100000'},
      broker: {type: 'string', default: 'both'},
      batch: {type: 'string', default: '1'},
      seed: {type: 'string', default: '1'},
      kills: {type: 'string', default: '40'},
      restarts: {type: 'string', default: '2'},
      minutes: {type: 'string', default: '30'},
      break: {type: 'string', default: 'nothing'},
      json: {type: 'boolean', default: false},
    },
  });
  const number = (name: Exclude<keyof typeof values, 'json'>, min: number, max: number) => {
    const value = Number(values[name]);
    if (!Number.isInteger(value) || value < min || value > max) {
      throw new TypeError(`--${name} is a whole number of ${min} to ${max}: "${values[name]}"`);
    }
    return value;
  };
  const chosen = kinds.filter(kind => values.broker === 'both' || values.broker === kind);
  if (chosen.length === 0) {
    throw new TypeError(`--broker is redis, kafka or both: "${values.broker}"`);
  }
  if (!['nothing', 'no-once', 'ack-first'].includes(values.break)) {
    throw new TypeError(`--break is no-once or ack-first: "${values.break}"`);
  }
  const options: Omit<RunOptions, 'kind'> = {
    events: number('events', 100, 10_000_000),
    batch: number('batch', 1, 500),
    seed: number('seed', 0, 2 ** 32 - 1),
    kills: number('kills', 1, 10_000),
    restarts: number('restarts', 0, 100),
    limitMs: number('minutes', 1, 1_440) * 60_000,
    break: values.break as Break,
    everyMs: [2_000, 4_000],
  };
  return {chosen, options, json: values.json};
};

const say = (line: string) => void process.stderr.write(`${line}\n`);

const main = async () => {
  const {chosen, options, json} = readOptions();
  const {environment, stop} = await startTestDatabase();
  const interrupt = Promise.withResolvers<never>();
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.once(signal, () => interrupt.reject(new Error(signal)));
  }
  const all: Figures[] = [];
  const runAll = async () => {
    for (const kind of chosen) {
      const figures = await runDelivery({...options, kind, say: line => say(`${kind} ${line}`)});
      all.push(figures);
      if (judge(figures).length > 0) {
        for (const [name, output] of Object.entries(figures.output)) {
          say(`--- ${kind} ${name}\n${output}`);
        }
      }
      if (!json) {
        console.log(`${tableOf(figures)}\n`);
      }
    }
  };
  try {
    process.env[environmentName] = JSON.stringify(environment);
    await Promise.race([runAll(), interrupt.promise]);
  } finally {
    await stop();
  }
  if (json) {
    console.log(jsonOf(all));
  }
  process.exit(all.every(figures => judge(figures).length === 0) ? 0 : 1);
};

await main().catch(error => {
  say(error instanceof TypeError ? `${error.message}\n${usage}` : String(error.stack ?? error));
  process.exit(error instanceof TypeError ? 2 : 1);
});
