/**
Debit: from Kafka to committed, beside the same statements fed from memory, beside the raw insert, in one run.

In: options. Out: a table with each figure's bound, or one JSON with --json, and whether every bound is met.
*/
import {availableParallelism, loadavg} from 'node:os';
import {parseArgs} from 'node:util';
import {
  type Finding,
  judge,
  judgeLag,
  judgeSoak,
  type LagFinding,
  type Round,
  type SoakFinding,
} from './judge.ts';
import {type Contender, measure, measureLagRow} from './measure.ts';
import {reportOf} from './report.ts';
import {lagRows, type Row, rows} from './rows.ts';
import {startServers} from './servers.ts';
import {soak} from './soak.ts';

export const usage =
  'npm run bench debit -- [--rounds 5] [--requests 20000] [--row NAME]… [--only CONTENDER]… [--profile FOLDER] [--log FILE] [--json] [--soak EVENTS [--rate 4000]]';

const contenders = ['raw', 'memory', 'chain'] as const;
/** Of the measured requests, how many more come first, for every function on the path to be compiled. */
const warmShare = 0.25;

const readOptions = (args: readonly string[]) => {
  const {values} = parseArgs({
    args: [...args],
    options: {
      rounds: {type: 'string', default: '5'},
      requests: {type: 'string', default: '20000'},
      row: {type: 'string', multiple: true},
      only: {type: 'string', multiple: true},
      profile: {type: 'string'},
      log: {type: 'string'},
      soak: {type: 'string'},
      rate: {type: 'string', default: '4000'},
      json: {type: 'boolean', default: false},
    },
  });
  const number = (name: 'rounds' | 'requests' | 'rate' | 'soak', max: number) => {
    const value = Number(values[name]);
    if (!Number.isInteger(value) || value < 1 || value > max) {
      throw new TypeError(`--${name} is a whole number from 1 to ${max}, got "${values[name]}"`);
    }
    return value;
  };
  const known = (wanted: readonly string[], all: readonly string[]) => {
    const unknown = wanted.filter(name => !all.includes(name));
    if (unknown.length > 0) {
      throw new TypeError(`expected ${all.join(', ')}; got "${unknown.join(', ')}"`);
    }
    return wanted;
  };
  const all = [...rows, ...lagRows].map(({name}) => name);
  const names = known(values.row ?? all, all);
  return {
    rounds: number('rounds', 100),
    requests: number('requests', 1_000_000),
    rows: rows.filter(({name}) => names.includes(name)),
    lagRows: lagRows.filter(({name}) => names.includes(name)),
    soak: values.soak === undefined ? undefined : number('soak', 1_000_000_000),
    rate: number('rate', 100_000),
    contenders: known(values.only ?? contenders, contenders) as readonly Contender[],
    profile: values.profile,
    log: values.log,
    json: values.json,
  };
};

type Options = ReturnType<typeof readOptions>;
type Say = (line: string) => void;
type Servers = Awaited<ReturnType<typeof startServers>>;

/** Every contender once, one after the other, so that a noisy neighbour hits all of them alike. */
const measureRound = async (servers: Servers, row: Row, options: Options, say: Say) => {
  const round: Round = {};
  const {requests, profile} = options;
  for (const contender of options.contenders) {
    const warm = Math.ceil(requests * warmShare);
    const sample = await measure(servers, row, contender, {warm, requests, profile});
    round[contender] = sample;
    const cpu = Object.entries(sample.cpu).map(([name, micros]) => `${name} ${Math.round(micros)}`);
    say(`${row.name} ${contender}: ${Math.round(sample.perSecond)}/s, µs: ${cpu.join(', ')}`);
  }
  return round;
};

type Findings = {findings: Finding[]; lags: LagFinding[]; soak: SoakFinding[]};

const measureAll = async (servers: Servers, options: Options, say: Say): Promise<Findings> => {
  if (options.soak !== undefined) {
    const {soak: events, rate} = options;
    const samples = await soak(servers, {
      events,
      rate,
      onSample: ({events: done, seconds, residentMib}) =>
        say(
          `soak ${done} events, ${Math.round(seconds)} s, MiB: ${Object.entries(residentMib)
            .map(([name, mib]) => `${name} ${Math.round(mib)}`)
            .join(', ')}`,
        ),
    });
    return {findings: [], lags: [], soak: judgeSoak(samples)};
  }
  const roundsOf = new Map<Row, Round[]>(options.rows.map(row => [row, []]));
  for (let index = 0; index < options.rounds; index++) {
    for (const row of options.rows) {
      roundsOf.get(row)?.push(await measureRound(servers, row, options, say));
    }
  }
  const lags: LagFinding[] = [];
  for (const row of options.lagRows) {
    lags.push(judgeLag(row, await measureLagRow(servers, row)));
    say(`${row.name}: p99 ${lags.at(-1)?.p99Ms} ms`);
  }
  return {
    findings: [...roundsOf].flatMap(([row, rounds]) => judge(row, rounds)),
    lags,
    soak: [],
  };
};

export const run = async (
  args: readonly string[],
  {say, interrupted}: {say: Say; interrupted: Promise<never>},
): Promise<boolean> => {
  const options = readOptions(args);
  const servers = await startServers(say, options.log);
  const loads = [loadavg()[0] as number];
  const watch = setInterval(() => loads.push(loadavg()[0] as number), 5_000);
  let all: Findings;
  try {
    all = await Promise.race([measureAll(servers, options, say), interrupted]);
  } finally {
    clearInterval(watch);
    await servers.stop();
  }
  const machine = {
    node: process.version,
    cores: availableParallelism(),
    load: [Math.min(...loads), Math.max(...loads)] as const,
  };
  const {rounds, requests} = options;
  console.log(
    options.json
      ? JSON.stringify({...machine, rounds, requests, ...all})
      : reportOf({machine, ...all}),
  );
  return Object.values(all)
    .flat()
    .every(({met}) => met);
};
