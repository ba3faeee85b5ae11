/**
Revocation: how long after its commit a revoked key still starts something, and how long a suspension takes to end what runs.

In: options. Out: p50, p99 and the longest over all gateways, and whether the longest is within the promise. Gateways are processes of
their own on one PostgreSQL; every key is asked for at all of them without pause while it is revoked.
*/
import {availableParallelism, loadavg} from 'node:os';
import {parseArgs} from 'node:util';
import {environmentName} from '../../helpers/database.ts';
import {
  measureRevocation,
  measureSuspension,
  openRevocationWorld,
} from '../../helpers/revocations.ts';
import {startTestDatabase} from '../../runner/database.ts';
import {percentile, rounded} from '../figures.ts';

export const usage =
  'npm run bench revocation -- [--revocations 100] [--suspensions 10] [--streams 5] [--gateways 4] [--json]';

/** What is promised of both. */
const promiseMs = 1_000;

type Say = (line: string) => void;

const readOptions = (args: readonly string[]) => {
  const {values} = parseArgs({
    args: [...args],
    options: {
      revocations: {type: 'string', default: '100'},
      suspensions: {type: 'string', default: '10'},
      streams: {type: 'string', default: '5'},
      gateways: {type: 'string', default: '4'},
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
    revocations: number('revocations', values.revocations, 10_000),
    suspensions: number('suspensions', values.suspensions, 1_000),
    streams: number('streams', values.streams, 100),
    gateways: number('gateways', values.gateways, 16),
    json: values.json,
  };
};

const figuresOf = (tookMs: readonly number[]) => ({
  of: tookMs.length,
  p50Ms: rounded(percentile(tookMs, 0.5), 1),
  p99Ms: rounded(percentile(tookMs, 0.99), 1),
  maxMs: rounded(Math.max(...tookMs), 1),
});

const measure = async (
  teardown: (end: () => unknown) => void,
  {revocations, suspensions, streams, gateways}: ReturnType<typeof readOptions>,
  say: Say,
) => {
  const world = await openRevocationWorld({teardown} as never, {count: gateways});
  const revoked: number[] = [];
  for (let round = 0; round < revocations; round += 1) {
    revoked.push(...(await measureRevocation(world, world.gateways)).map(({lastMs}) => lastMs));
  }
  say(`${revoked.length} times a gateway was told of a revoked key`);
  const cut: number[] = [];
  for (let round = 0; round < suspensions; round += 1) {
    cut.push(...(await measureSuspension(world, {each: streams})).map(({tookMs}) => tookMs));
  }
  return {revocation: figuresOf(revoked), suspension: figuresOf(cut)};
};

/** Resolves with whether both are within the promise. */
export const run = async (
  args: readonly string[],
  {say, interrupted}: {say: Say; interrupted: Promise<never>},
): Promise<boolean> => {
  const options = readOptions(args);
  const ends: (() => unknown)[] = [];
  try {
    const postgres = await startTestDatabase();
    ends.push(postgres.stop);
    process.env[environmentName] = JSON.stringify(postgres.environment);
    const found = await Promise.race([
      measure(end => void ends.push(end), options, say),
      interrupted,
    ]);
    const machine = {cores: availableParallelism(), load: rounded(loadavg()[0] as number, 1)};
    const lines = Object.entries(found).map(
      ([name, {of, p50Ms, p99Ms, maxMs}]) =>
        `${name.padEnd(12)} ${of} measured, p50 ${p50Ms} ms, p99 ${p99Ms} ms, longest ${maxMs} ms, at most ${promiseMs} ms`,
    );
    console.log(
      options.json
        ? JSON.stringify({...machine, gateways: options.gateways, ...found})
        : [
            ...lines,
            `${options.gateways} gateways, ${machine.cores} cores, load ${machine.load}`,
          ].join('\n'),
    );
    return Object.values(found).every(({maxMs}) => maxMs <= promiseMs);
  } finally {
    for (const end of ends.toReversed()) {
      await end();
    }
  }
};
