/**
Brokers: what each broker carries from publish to handled, beside the raw client of its store in the same run.

In: options. Out: a table, or one JSON with --json. There are no budgets here: it fails only when it cannot measure.
*/
import {once} from 'node:events';
import {availableParallelism, loadavg} from 'node:os';
import {parseArgs} from 'node:util';
import {type Child, startChild} from '../child.ts';
import {type CodecFinding, measureCodec} from './codec.ts';
import {type Finding, judge, type Round} from './judge.ts';
import {reportOf} from './report.ts';
import {type Row, rows} from './rows.ts';
import {createServers, type Server} from './servers.ts';
import type {Command, RunResult, Task} from './worker.ts';

export const usage =
  'npm run bench brokers -- [--rounds 5] [--seconds 2] [--row NAME]… [--profile FOLDER] [--json]';

/** The first also lets every function on the path be compiled. */
const warmMs = {first: 2_000, later: 300};
const codecRow = 'codec';

const readOptions = (args: readonly string[]) => {
  const {values} = parseArgs({
    args: [...args],
    options: {
      rounds: {type: 'string', default: '5'},
      seconds: {type: 'string', default: '2'},
      row: {type: 'string', multiple: true},
      profile: {type: 'string'},
      json: {type: 'boolean', default: false},
    },
  });
  const number = (name: 'rounds' | 'seconds', max: number) => {
    const value = Number(values[name]);
    if (!Number.isInteger(value) || value < 1 || value > max) {
      throw new TypeError(`--${name} is a whole number from 1 to ${max}, got "${values[name]}"`);
    }
    return value;
  };
  const names = [...rows.map(({name}) => name), codecRow];
  const wanted = values.row ?? names;
  const unknown = wanted.filter(name => !names.includes(name));
  if (unknown.length > 0) {
    throw new TypeError(`rows are ${names.join(', ')}; got "${unknown.join(', ')}"`);
  }
  return {
    rounds: number('rounds', 100),
    seconds: number('seconds', 600),
    rows: rows.filter(({name}) => wanted.includes(name)),
    codec: wanted.includes(codecRow),
    profile: values.profile,
    json: values.json,
  };
};

type Options = ReturnType<typeof readOptions>;
type Say = (line: string) => void;

const startWorker = async (task: Task, profile: string | undefined) => {
  const child: Child = await startChild({
    program: 'test/bench/brokers/worker.ts',
    environment: {WORKER: JSON.stringify(task)},
    // kafkajs sets timers of less than nothing, and Node tells of each.
    nodeArguments: [
      '--no-warnings',
      ...(profile ? ['--cpu-prof', `--cpu-prof-dir=${profile}`] : []),
    ],
  });
  const ended = once(child.process, 'exit').then(([code]): never => {
    throw new Error(`the worker of ${task.store}, ${task.contender}, ended with ${code}`);
  });
  ended.catch(() => {});
  const ask = async (command: Command) => {
    const answered = once(child.process, 'message');
    child.process.send(command);
    const [answer] = await Promise.race([answered, ended]);
    return answer as RunResult;
  };
  return {
    run: (ms: number) => ask({kind: 'run', ms}),
    clean: () => ask({kind: 'clean'}),
    stop: child.stop,
  };
};

type Worker = Awaited<ReturnType<typeof startWorker>>;

/** Every contender once, one after the other, so that a noisy neighbour hits all of them alike. */
const measureRound = async (
  workers: ReadonlyMap<string, Worker>,
  server: Server,
  {warm, ms}: {warm: number; ms: number},
): Promise<Round> => {
  const round: Record<string, Round[string]> = {};
  for (const [name, worker] of workers) {
    await worker.run(warm);
    await worker.clean();
    const before = server.cpuMs();
    const {handled, published, elapsedMs, cpuMicros} = await worker.run(ms);
    round[name] = {
      perSecond: (published * 1_000) / elapsedMs,
      cpuMicros: cpuMicros / published,
      serverMicros: ((server.cpuMs() - before) * 1_000) / published,
      repeated: handled - published,
    };
    await worker.clean();
  }
  return round;
};

const measureRow = async (row: Row, server: Server, options: Options, say: Say) => {
  const workers = new Map<string, Worker>();
  const rounds: Round[] = [];
  try {
    for (const contender of row.contenders) {
      const {store, load} = row;
      const task = {store, load, contender, address: server.address};
      workers.set(contender, await startWorker(task, options.profile));
    }
    for (let index = 0; index < options.rounds; index++) {
      const warm = index === 0 ? warmMs.first : warmMs.later;
      const round = await measureRound(workers, server, {warm, ms: options.seconds * 1_000});
      rounds.push(round);
      for (const [name, {perSecond, cpuMicros}] of Object.entries(round)) {
        say(
          `${row.name} ${index + 1}/${options.rounds} ${name}: ${Math.round(perSecond)}/s, ${cpuMicros.toFixed(1)} µs`,
        );
      }
    }
  } finally {
    await Promise.all([...workers.values()].map(worker => worker.stop()));
  }
  return judge(row, rounds);
};

export const run = async (
  args: readonly string[],
  {say, interrupted}: {say: Say; interrupted: Promise<never>},
): Promise<boolean> => {
  const options = readOptions(args);
  const servers = createServers(say);
  const findings: Finding[] = [];
  let codec: readonly CodecFinding[] = [];
  const loads = [loadavg()[0] as number];
  const measureRows = async () => {
    if (options.codec) {
      codec = measureCodec(options.rounds);
    }
    for (const row of options.rows) {
      findings.push(...(await measureRow(row, await servers.of(row.store), options, say)));
      loads.push(loadavg()[0] as number);
    }
  };
  try {
    await Promise.race([measureRows(), interrupted]);
  } finally {
    await servers.stop();
  }
  const {rounds, seconds} = options;
  const machine = {
    node: process.version,
    cores: availableParallelism(),
    load: [Math.min(...loads), Math.max(...loads)] as const,
  };
  console.log(
    options.json
      ? JSON.stringify({...machine, rounds, seconds, findings, codec})
      : reportOf({machine, findings, codec}),
  );
  return true;
};
