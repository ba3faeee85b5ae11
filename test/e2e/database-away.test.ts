import assert from 'node:assert/strict';
import {once} from 'node:events';
import {rename} from 'node:fs/promises';
import {join} from 'node:path';
import {setTimeout as wait} from 'node:timers/promises';
import anyTest, {type TestFn} from 'ava';
import {createAdmin} from '../helpers/admin.ts';
import {asSuperuser, type Books, wholeBooks} from '../helpers/books.ts';
import {eventually} from '../helpers/eventually.ts';
import {allListen, pidOf, postgresOf, postmasterOf} from '../helpers/function-processes.ts';
import {type Sluice, startSluice} from '../helpers/sluice.ts';
import {openStream, type Stream} from '../helpers/streams.ts';

const test = anyTest as TestFn<{sluice: Sluice}>;
const ends: (() => unknown)[] = [];
const teardown = {teardown: (end: () => unknown) => void ends.unshift(end)};
const env = {
  // Far more than a stream of 4 s takes on a busy machine.
  REQUEST_TIMEOUT_MS: '20000',
  UNSETTLED_GRACE_MS: '500',
  LEASE_TTL_MS: '20000',
  TOKEN_DELAY_MS: '20',
  DEFAULT_TOKENS: '5000',
};

test.before(async t => {
  t.context = {sluice: await startSluice(teardown, {env})};
});
test.after.always(async () => {
  for (const end of ends) {
    await end();
  }
});

/** A tenant whose key and leases the gateway knows. */
const knownTenant = async (sluice: Sluice, name: string) => {
  const tenant = await createAdmin(sluice).createTenant(name);
  const first = await openStream({...sluice, apiKey: tenant.apiKey, maxTokens: 1});
  assert.equal(await first.ended, 'whole');
  return {...tenant, first};
};

type Timed = Readonly<{stream: Stream; how: 'whole' | 'cut'; tookMs: number}>;

const ask = async (sluice: Sluice, apiKey: string, maxTokens: number): Promise<Timed> => {
  const started = performance.now();
  const stream = await openStream({...sluice, apiKey, maxTokens, timeoutMs: 40_000});
  const how = await stream.ended;
  return {stream, how, tookMs: performance.now() - started};
};

const askMany = (sluice: Sluice, apiKey: string, count: number, maxTokens: number) =>
  Promise.all(Array.from({length: count}, () => ask(sluice, apiKey, maxTokens)));

/** Served whole, or told plainly that it was not. */
const assertClear = (asked: readonly Timed[], withinMs: number) => {
  for (const {stream, how, tookMs} of asked) {
    assert.ok([200, 429, 503].includes(stream.status), `${stream.status} ${stream.text()}`);
    assert.equal(how, 'whole', `${stream.status} ${stream.text()}`);
    assert.ok(tookMs < withinMs, `${stream.status} after ${tookMs} ms`);
    if (stream.status !== 200) {
      assert.ok(JSON.parse(stream.text()).error.message.length > 0);
    }
  }
};

/** Who was served is in the books, who was not has paid nothing, and no lease was passed. */
const assertFair = ({ledger, windows}: Books, streams: readonly Stream[]) => {
  const costs = new Map(ledger.map(({request, costNanos}) => [request, costNanos]));
  for (const {status, request} of streams) {
    if (status === 200) {
      assert.ok((costs.get(request) ?? 0) > 0, `${request} was served and not charged`);
    } else {
      assert.equal(costs.get(request) ?? 0, 0, `${request} was refused and charged`);
    }
  }
  assert.ok(windows.every(({overage}) => overage === 0));
};

const servedAgain = (sluice: Sluice, apiKey: string) =>
  eventually(
    async () => {
      const {stream, how} = await ask(sluice, apiKey, 2);
      assert.deepEqual([stream.status, how], [200, 'whole']);
      return stream;
    },
    {timeoutMs: 60_000, intervalMs: 100},
  );

/** As the front door tells it. */
const gatewayHealth = async (sluice: Sluice) => {
  const {functions} = (await (await fetch(`${sluice.url}/healthz`)).json()) as {
    functions: Record<string, {status: string; reason?: string}>;
  };
  return functions.gateway as {status: string; reason?: string};
};

const countOf = (asked: readonly Timed[]) =>
  Object.entries(Object.groupBy(asked, ({stream}) => stream.status)).map(([status, some = []]) => ({
    status,
    count: some.length,
    longestMs: Math.round(Math.max(...some.map(({tookMs}) => tookMs))),
  }));

test.serial(
  'PostgreSQL frozen for 3 s: streams go on, every other request is served or refused in time, all is accounted for',
  async t => {
    const {sluice} = t.context;
    const tenant = await knownTenant(sluice, 'Frozen');
    const running = Array.from({length: 4}, () =>
      openStream({...sluice, apiKey: tenant.apiKey, maxTokens: 200}),
    );
    const streams = await Promise.all(running);
    const frozen = postgresOf(sluice);
    for (const pid of frozen) {
      process.kill(pid, 'SIGSTOP');
    }
    const tokensBefore = streams.map(stream => stream.tokens());
    const early = askMany(sluice, tenant.apiKey, 20, 3);
    await wait(2_000);
    const late = askMany(sluice, tenant.apiKey, 20, 3);
    // It is the log here: nothing new is taken, and whoever asks is told why.
    await eventually(
      async () => assert.match((await gatewayHealth(sluice)).reason ?? '', /log-away/),
      {timeoutMs: 15_000, intervalMs: 100},
    );
    // A busy machine may miss it once, who waits for what is away misses it always.
    const atOnce: Timed[] = [];
    await eventually(async () => {
      const some = await askMany(sluice, tenant.apiKey, 20, 3);
      atOnce.push(...some);
      assertClear(some, 1_500);
    });
    const tokensInTheFrost = streams.map(stream => stream.tokens());
    for (const pid of frozen) {
      process.kill(pid, 'SIGCONT');
    }
    const asked = [...(await early), ...(await late)];
    t.log(countOf(asked));
    assertClear(asked, 8_000);
    assertClear(atOnce, 8_000);
    t.deepEqual(new Set(atOnce.map(({stream}) => stream.status)), new Set([503]));
    t.true(tokensInTheFrost.every((tokens, index) => tokens > (tokensBefore[index] ?? 0) + 10));
    t.deepEqual(new Set(await Promise.all(streams.map(({ended}) => ended))), new Set(['whole']));
    const again = await servedAgain(sluice, tenant.apiKey);
    await eventually(async () =>
      assert.deepEqual(await gatewayHealth(sluice), {status: 'ok', processes: 1}),
    );
    const books = await wholeBooks(sluice.dataFolder, tenant.org);
    assertFair(books, [
      tenant.first,
      again,
      ...streams,
      ...[...asked, ...atOnce].map(({stream}) => stream),
    ]);
  },
);

test.serial(
  'PostgreSQL frozen and the gateway killed: results that die in its memory are settled by policy, once',
  async t => {
    const {sluice} = t.context;
    const tenant = await knownTenant(sluice, 'Lost results');
    const gateway = await pidOf(sluice, 'gateway');
    // The result of the first is on its way to PostgreSQL, which reads it when it wakes; those of the others wait behind it.
    const [first, ...streams] = await Promise.all(
      [60, 200, 200, 200, 200].map(maxTokens =>
        openStream({...sluice, apiKey: tenant.apiKey, maxTokens}),
      ),
    );
    const frozen = postgresOf(sluice);
    for (const pid of frozen) {
      process.kill(pid, 'SIGSTOP');
    }
    t.is(await first?.ended, 'whole');
    t.deepEqual(new Set(await Promise.all(streams.map(({ended}) => ended))), new Set(['whole']));
    process.kill(gateway, 'SIGKILL');
    for (const pid of frozen) {
      process.kill(pid, 'SIGCONT');
    }
    const again = await servedAgain(sluice, tenant.apiKey);
    const books = await wholeBooks(sluice.dataFolder, tenant.org, {timeoutMs: 90_000});
    assertFair(books, [tenant.first, again, first as Stream, ...streams]);
    const entries = await asSuperuser(sluice.dataFolder, client =>
      client.query<{entry: string}>('select entry from ledger where request = any($1)', [
        streams.map(({request}) => request),
      ]),
    );
    t.deepEqual(
      entries.rows.map(({entry}) => entry),
      streams.map(() => 'unsettled'),
    );
  },
);

test.serial(
  'kill -9 of one of its connections: PostgreSQL repairs itself, and nothing is lost',
  async t => {
    const {sluice} = t.context;
    const tenant = await knownTenant(sluice, 'Connection killed');
    const streams = await Promise.all(
      Array.from({length: 4}, () => openStream({...sluice, apiKey: tenant.apiKey, maxTokens: 60})),
    );
    const pid = await asSuperuser(sluice.dataFolder, async client => {
      const {rows} = await client.query<{pid: number}>(
        `select pid from pg_stat_activity where application_name = 'sluice-gateway' limit 1`,
      );
      return rows[0]?.pid as number;
    });
    process.kill(pid, 'SIGKILL');
    const asked = await askMany(sluice, tenant.apiKey, 20, 3);
    t.log(countOf(asked));
    assertClear(asked, 8_000);
    t.deepEqual(new Set(await Promise.all(streams.map(({ended}) => ended))), new Set(['whole']));
    const again = await servedAgain(sluice, tenant.apiKey);
    const books = await wholeBooks(sluice.dataFolder, tenant.org);
    assertFair(books, [tenant.first, again, ...streams, ...asked.map(({stream}) => stream)]);
  },
);

test.serial(
  'kill -9 of PostgreSQL: it is started again, streams go on meanwhile, and nothing is lost',
  async t => {
    const {sluice} = t.context;
    const tenant = await knownTenant(sluice, 'PostgreSQL killed');
    const streams = await Promise.all(
      Array.from({length: 4}, () => openStream({...sluice, apiKey: tenant.apiKey, maxTokens: 60})),
    );
    process.kill(postmasterOf(sluice), 'SIGKILL');
    const asked = await askMany(sluice, tenant.apiKey, 20, 3);
    t.log(countOf(asked));
    assertClear(asked, 8_000);
    t.deepEqual(new Set(await Promise.all(streams.map(({ended}) => ended))), new Set(['whole']));
    const again = await servedAgain(sluice, tenant.apiKey);
    // Who is served again may be so before the line about it was read.
    await eventually(() =>
      assert.ok(sluice.lines.some(line => line.includes('PostgreSQL is back'))),
    );
    await allListen(sluice);
    const books = await wholeBooks(sluice.dataFolder, tenant.org);
    assertFair(books, [tenant.first, again, ...streams, ...asked.map(({stream}) => stream)]);
    // The functions that nobody asked in between have new connections too.
    t.truthy(await createAdmin(sluice).createTenant('After the crash'));
  },
);

test.serial(
  'a PostgreSQL that cannot be started again ends Sluice with a message, and the next start has everything',
  async t => {
    const {sluice} = t.context;
    const tenant = await knownTenant(sluice, 'PostgreSQL gone');
    const streams = await Promise.all(
      Array.from({length: 4}, () =>
        openStream({...sluice, apiKey: tenant.apiKey, maxTokens: 1_000}),
      ),
    );
    const control = join(sluice.dataFolder, 'postgres', 'global', 'pg_control');
    await rename(control, `${control}.away`);
    const ended = once(sluice.process, 'exit');
    process.kill(postmasterOf(sluice), 'SIGKILL');
    const [status] = await ended;
    t.is(status, 1);
    await eventually(() =>
      assert.ok(
        sluice.lines.some(line => line.startsWith('PostgreSQL is gone and cannot be started')),
      ),
    );
    t.deepEqual(new Set(await Promise.all(streams.map(({ended}) => ended))), new Set(['cut']));

    await rename(`${control}.away`, control);
    const second = await startSluice(teardown, {
      env: {...env, LEASE_TTL_MS: '3000'},
      dataFolder: sluice.dataFolder,
    });
    const books = await wholeBooks(second.dataFolder, tenant.org, {free: true, timeoutMs: 90_000});
    assertFair(books, [tenant.first, ...streams]);
  },
);
