/**
Statements: what four gateways ask of PostgreSQL at 1,000 requests a second, Kafka being the log and Redis there.

In: options. Out: statements a second by name for each number of keys, and whether each stays within the budget. The caches
know every key before it counts.
*/
import {once} from 'node:events';
import {availableParallelism, loadavg} from 'node:os';
import {setTimeout as wait} from 'node:timers/promises';
import {parseArgs} from 'node:util';
import type {Child} from '../child.ts';
import {cpuMsOf} from '../cpu.ts';
import {readStatements, resetStatements} from './count.ts';
import {startHolds} from './holds.ts';
import type {Command, Count, Plan} from './load.ts';
import {type Finding, judge, reportOf} from './report.ts';
import {seedKeys} from './seed.ts';
import {gatewayRole, startWorld, type World} from './world.ts';

export const usage =
  'npm run bench statements -- [--keys N]… [--seconds 30] [--settle 40] [--rate 1000] [--gateways 4] [--seed 1] [--holds] [--profile FOLDER] [--json]';

/** Of Zipf's law. */
const exponent = 1.1;

const body = JSON.stringify({
  model: 'bench',
  messages: [{role: 'user', content: 'lorem ipsum '.repeat(80)}],
  max_tokens: 32,
});

const readOptions = (args: readonly string[]) => {
  const {values} = parseArgs({
    args: [...args],
    options: {
      keys: {type: 'string', multiple: true, default: ['1', '100', '10000']},
      seconds: {type: 'string', default: '30'},
      settle: {type: 'string', default: '40'},
      rate: {type: 'string', default: '1000'},
      gateways: {type: 'string', default: '4'},
      seed: {type: 'string', default: '1'},
      holds: {type: 'boolean', default: false},
      profile: {type: 'string'},
      json: {type: 'boolean', default: false},
    },
  });
  const number = (name: string, text: string, max: number) => {
    const value = Number(text);
    if (!Number.isInteger(value) || value < 1 || value > max) {
      throw new TypeError(`--${name} is a whole number from 1 to ${max}, got "${text}"`);
    }
    return value;
  };
  return {
    keys: values.keys.map(text => number('keys', text, 100_000)),
    seconds: number('seconds', values.seconds, 600),
    settle: number('settle', values.settle, 600),
    rate: number('rate', values.rate, 10_000),
    gateways: number('gateways', values.gateways, 16),
    seed: number('seed', values.seed, 2 ** 31),
    holds: values.holds,
    profile: values.profile,
    json: values.json,
  };
};

type Options = ReturnType<typeof readOptions>;
type Say = (line: string) => void;

const asking =
  ({process: child}: Child) =>
  async <Answer>(command: Command): Promise<Answer> => {
    const answered = once(child, 'message');
    child.send(command);
    const [answer] = await answered;
    return answer as Answer;
  };

const cpuOf = (gateways: readonly Child[]) =>
  gateways.reduce((sum, {pid}) => sum + cpuMsOf(pid), 0);

const measure = async (
  world: World,
  keys: number,
  {rate, seconds, settle, gateways: count, seed}: Options,
  say: Say,
): Promise<Finding> => {
  const {gateways, stop} = await world.startGateways(count);
  const ask = asking(world.load as Child);
  const plan: Plan = {
    urls: gateways.map(({url}) => url),
    keys: await seedKeys(world.database, keys),
    exponent,
    seed,
    rate,
    connections: Math.max(64, Math.ceil((rate / count) * 0.3)),
    body,
  };
  await resetStatements(world.database);
  const warming = performance.now();
  const warmed = await ask<Count>({kind: 'warm', plan, inFlight: 200});
  const warmSeconds = (performance.now() - warming) / 1_000;
  say(`${keys} keys: warmed in ${warmSeconds.toFixed(1)} s, ${JSON.stringify(warmed.statuses)}`);
  const cold = await readStatements(world.database, gatewayRole);
  await ask({kind: 'start', plan});
  // The leases that only the warming used are returned after half a life; a steady state begins behind that.
  await wait(settle * 1_000);
  await ask<Count>({kind: 'mark'});
  await resetStatements(world.database);
  const [startedMs, cpuMs] = [performance.now(), cpuOf(gateways)];
  await wait(seconds * 1_000);
  const statements = await readStatements(world.database, gatewayRole);
  const elapsed = (performance.now() - startedMs) / 1_000;
  const cpuShare = (cpuOf(gateways) - cpuMs) / elapsed / 1_000;
  const counted = await ask<Count>({kind: 'mark'});
  await ask({kind: 'stop'});
  await stop();
  return judge({keys, rate, elapsed, statements, counted, cpuShare, cold, warmSeconds});
};

/** The same without HTTP, Kafka and models. */
const measureHolds = async (
  world: World,
  keys: number,
  {rate, seconds, settle, gateways, seed}: Options,
): Promise<Finding> => {
  const holds = await startHolds(world.gatewayUrl, gateways);
  try {
    const texts = await seedKeys(world.database, keys);
    await resetStatements(world.database);
    const warming = performance.now();
    await holds.warm(texts, 200);
    const warmSeconds = (performance.now() - warming) / 1_000;
    const cold = await readStatements(world.database, gatewayRole);
    holds.start({keys: texts, exponent, seed, rate});
    await wait(settle * 1_000);
    holds.mark();
    await resetStatements(world.database);
    const startedMs = performance.now();
    await wait(seconds * 1_000);
    const statements = await readStatements(world.database, gatewayRole);
    const elapsed = (performance.now() - startedMs) / 1_000;
    const counted = holds.mark();
    return judge({keys, rate, elapsed, statements, counted, cpuShare: 0, cold, warmSeconds});
  } finally {
    await holds.stop();
  }
};

/** Resolves with whether every budget is met. */
export const run = async (
  args: readonly string[],
  {say, interrupted}: {say: Say; interrupted: Promise<never>},
): Promise<boolean> => {
  const options = readOptions(args);
  const world = await startWorld({say, profile: options.profile, databaseOnly: options.holds});
  const findings: Finding[] = [];
  const measureAll = async () => {
    for (const keys of options.keys) {
      const finding = options.holds
        ? await measureHolds(world, keys, options)
        : await measure(world, keys, options, say);
      findings.push(finding);
      say(`${keys} keys: ${finding.perSecond} statements/s ${JSON.stringify(finding.byName)}`);
    }
  };
  try {
    await Promise.race([measureAll(), interrupted]);
  } finally {
    await world.stop();
  }
  const machine = {
    node: process.version,
    cores: availableParallelism(),
    load: loadavg()[0] as number,
  };
  const {rate, gateways, seconds, seed} = options;
  console.log(
    options.json
      ? JSON.stringify({...machine, rate, gateways, seconds, seed, findings})
      : reportOf({...machine, rate, gateways, seconds, findings}),
  );
  return findings.every(({met}) => met);
};
