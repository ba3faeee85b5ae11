/**
Restore: the backup that was made in the middle of a storm, brought back and filled from the log by `sluice events replay`.

In: the world after its drain, its books. Out: how what was restored differs from what was there. Compared are the ledger's rows, the
usage records, the rollups, and what each window was charged: leases that were granted after the backup are unknown to it, so what
they covered is overage there, and only `spent + overage` is the same.
*/
import {setTimeout as wait} from 'node:timers/promises';
import {runCli} from '../../../functions/admin/cli/program.ts';
import {freePort} from '../../runner/server.ts';
import {type Books, connect, readBooks} from './books.ts';
import {lagOf} from './log.ts';
import {startHelpers, type World} from './world.ts';

export type Restored = Readonly<{differences: readonly string[]; before: number; after: number}>;

const groups = ['budget', 'usage'];
const maxMs = 90_000;

const replay = async (group: string, fromMs: number, brokers: readonly string[]) => {
  let err = '';
  const code = await runCli(
    ['events', 'replay', '--from', new Date(fromMs).toISOString(), '--group', group, '--yes'],
    {
      environment: {KAFKA_BROKERS: brokers.join(',')},
      folder: '/',
      out: () => {},
      err: text => {
        err += text;
      },
      terminal: false,
    },
  );
  if (code !== 0) {
    throw new Error(`sluice events replay --group ${group} ended with ${code}: ${err}`);
  }
};

/** Read to its end, everything settled, nothing on its way out. */
const settle = async (url: string, brokers: readonly string[]) => {
  const end = performance.now() + maxMs;
  for (;;) {
    const client = await connect(url);
    const {rows} = await client.query(
      'select (select count(*) from requests) + (select count(*) from outbox) as waiting',
    );
    await client.end();
    const lag = await lagOf(brokers, groups);
    if (lag === 0 && Number(rows[0].waiting) === 0) {
      return;
    }
    if (performance.now() > end) {
      throw new Error(`the replay was not done in time: ${rows[0].waiting} rows, ${lag} events`);
    }
    await wait(200);
  }
};

const text = (value: unknown) =>
  JSON.stringify(value, (_name, part) => (typeof part === 'bigint' ? String(part) : part));

/** What must be the same, by a name of each thing. */
const comparable = (books: Books): Map<string, string> =>
  new Map([
    ...books.ledger.map(
      ({request, entry, input, cached, output, cost, outcome, charges}) =>
        [
          `${entry} of ${request}`,
          text([
            input,
            cached,
            output,
            cost,
            outcome,
            charges.map(({budget, amount}) => [budget, amount]),
          ]),
        ] as const,
    ),
    ...[...books.records].map(
      ([request, record]) => [`record of ${request}`, text(record)] as const,
    ),
    ...books.windows.map(
      ({budget, spent, overage}) => [`window of ${budget}`, text(spent + overage)] as const,
    ),
    ['hourly rollup', text(books.hourly)],
    ['daily rollup', text(books.daily)],
  ]);

export const differencesOf = (before: Books, after: Books): string[] => {
  const [wanted, found] = [comparable(before), comparable(after)];
  return [...new Set([...wanted.keys(), ...found.keys()])]
    .filter(name => wanted.get(name) !== found.get(name))
    .map(
      name =>
        `${name} was ${wanted.get(name) ?? 'not there'}, is ${found.get(name) ?? 'not there'}`,
    );
};

/** The sources of the storm have left their groups: a group that is in use is not rewound. */
export const restoreAndReplay = async (
  {servers, tenant, start, proxy}: Pick<World, 'servers' | 'tenant' | 'start' | 'proxy'>,
  {books, fromMs}: {books: Books; fromMs: number},
): Promise<Restored> => {
  const {brokers} = servers.kafka;
  const server = await servers.postgres.restore();
  const ports = {budget: await freePort(), usage: await freePort()};
  let helpers: ReturnType<typeof startHelpers> | undefined;
  try {
    const {ledger} = await readBooks(server.url('superuser'), tenant.org);
    for (const group of groups) {
      await replay(group, fromMs, brokers);
    }
    helpers = startHelpers(start, {
      databaseUrl: server.url('system'),
      brokers,
      ports,
      sinkOf: name =>
        name === 'default'
          ? proxy.url(name)
          : `http://127.0.0.1:${ports[name as 'budget' | 'usage']}/`,
    });
    await Promise.all(Object.values(helpers).map(one => one.listening()));
    await settle(server.url('superuser'), brokers);
    const after = await readBooks(server.url('superuser'), tenant.org);
    return {
      differences: differencesOf(books, after),
      before: ledger.length,
      after: after.ledger.length,
    };
  } finally {
    await Promise.all(Object.values(helpers ?? {}).map(one => one.stop()));
    await server.stop();
  }
};
