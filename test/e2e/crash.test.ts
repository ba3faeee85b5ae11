import assert from 'node:assert/strict';
import anyTest, {type TestFn} from 'ava';
import {createAdmin} from '../helpers/admin.ts';
import {type Books, readBooks, wholeBooks} from '../helpers/books.ts';
import {eventually} from '../helpers/eventually.ts';
import {allListen, killFunction} from '../helpers/function-processes.ts';
import {keepOutbox, keptTypes, sendAgain} from '../helpers/outbox.ts';
import {type Sluice, startSluice} from '../helpers/sluice.ts';
import {openStream, type Stream} from '../helpers/streams.ts';

const test = anyTest as TestFn<{sluice: Sluice}>;
const ends: (() => unknown)[] = [];
const teardown = {teardown: (end: () => unknown) => void ends.unshift(end)};
const env = {
  // Of what runs nothing may come to them on a busy machine.
  REQUEST_TIMEOUT_MS: '8000',
  UNSETTLED_GRACE_MS: '500',
  LEASE_TTL_MS: '8000',
  TOKEN_DELAY_MS: '30',
  DEFAULT_TOKENS: '5000',
};

test.before(async t => {
  t.context = {sluice: await startSluice(teardown, {env})};
  await keepOutbox(t.context.sluice.dataFolder);
});
test.after.always(async () => {
  for (const end of ends) {
    await end();
  }
});

const newTenant = (sluice: Sluice, name: string) => createAdmin(sluice).createTenant(name);

const openStreams = (sluice: Sluice, apiKey: string, count: number, maxTokens: number) =>
  Promise.all(Array.from({length: count}, () => openStream({...sluice, apiKey, maxTokens})));

const assertNoOverage = ({windows}: Books) => {
  assert.deepEqual(
    windows.filter(({overage}) => overage !== 0),
    [],
  );
};

/** Every request of which a client has a byte, once. */
const assertAllIn = ({ledger}: Books, streams: readonly Stream[]) => {
  const known = new Set(ledger.map(({request}) => request));
  assert.deepEqual(
    streams.filter(({status, request}) => status === 200 && !known.has(request)),
    [],
  );
};

test.serial(
  'kill -9 of the gateway in mid-stream: every request is settled once, and its money comes free',
  async t => {
    const {sluice} = t.context;
    const tenant = await newTenant(sluice, 'Gateway killed');
    const done = await openStreams(sluice, tenant.apiKey, 4, 2);
    await Promise.all(done.map(({ended}) => ended));
    const streams = await openStreams(sluice, tenant.apiKey, 12, 1_000);
    await eventually(() => assert.ok(streams.every(stream => stream.tokens() >= 3)));
    await killFunction(sluice, 'gateway');
    t.deepEqual(new Set(await Promise.all(streams.map(({ended}) => ended))), new Set(['cut']));
    await allListen(sluice);

    const books = await wholeBooks(sluice.dataFolder, tenant.org, {free: true});
    assertNoOverage(books);
    assertAllIn(books, [...done, ...streams]);
    t.is(books.ledger.length, 16);
    t.true(books.ledger.every(({costNanos}) => costNanos > 0));
    const [again] = await openStreams(sluice, tenant.apiKey, 1, 2);
    t.is(again?.status, 200);
    t.is(await again?.ended, 'whole');
  },
);

test.serial(
  'everything that was delivered is delivered again, twice and in disorder: nothing changes',
  async t => {
    const {sluice} = t.context;
    const tenant = await newTenant(sluice, 'Repeated');
    const streams = await openStreams(sluice, tenant.apiKey, 6, 3);
    for (const stream of streams.slice(3)) {
      stream.destroy();
    }
    await Promise.all(streams.map(({ended}) => ended));
    const before = await wholeBooks(sluice.dataFolder, tenant.org, {free: true});
    t.is(before.ledger.length, 6);
    const types = await keptTypes(sluice.dataFolder);
    for (const noun of [
      'inference.started',
      'inference.finished',
      'inference.unsettled',
      'lease.fenced',
      'settlement.due',
    ]) {
      t.true((types[`dev.sluice.${noun}.v1`] ?? 0) > 0, noun);
    }
    t.true((await sendAgain(sluice.dataFolder, 2)) >= 24);
    t.deepEqual(await wholeBooks(sluice.dataFolder, tenant.org), before);
  },
);

/** Clients that ask one short request after the other until they are told to stop. */
const keepAsking = (sluice: Sluice, apiKey: string, clients: number) => {
  const streams: Stream[] = [];
  let stopped = false;
  const ask = async (client: number) => {
    for (let turn = 0; !stopped; turn += 1) {
      const stream = await openStream({
        ...sluice,
        apiKey,
        maxTokens: 1 + ((client + turn) % 4),
        stream: turn % 2 === 0,
      });
      streams.push(stream);
      await stream.ended;
    }
  };
  const asking = Promise.all(Array.from({length: clients}, (_, client) => ask(client)));
  return {
    streams,
    async stop() {
      stopped = true;
      await asking;
    },
  };
};

test.serial(
  'kill -9 of budget, usage and both, again and again: clients notice nothing, nothing is lost or doubled',
  async t => {
    const {sluice} = t.context;
    const tenant = await newTenant(sluice, 'Functions killed');
    const clients = keepAsking(sluice, tenant.apiKey, 8);
    for (const names of [['budget'], ['usage'], ['budget', 'usage']]) {
      const before = clients.streams.length;
      await eventually(() => assert.ok(clients.streams.length >= before + 30));
      await Promise.all(names.map(name => killFunction(sluice, name)));
      await allListen(sluice);
    }
    await clients.stop();
    t.deepEqual(
      clients.streams.filter(({status}) => status !== 200),
      [],
    );
    const books = await wholeBooks(sluice.dataFolder, tenant.org);
    assertNoOverage(books);
    t.deepEqual(
      books.ledger.map(({request}) => request),
      clients.streams.map(({request}) => request).sort(),
    );
  },
);

test.serial(
  'SIGTERM while streams run: they come to their end, and the next start has them in its books',
  async t => {
    const {sluice} = t.context;
    const tenant = await newTenant(sluice, 'Drained');
    const streams = await openStreams(sluice, tenant.apiKey, 8, 50);
    const status = sluice.stop();
    t.deepEqual(new Set(await Promise.all(streams.map(({ended}) => ended))), new Set(['whole']));
    t.true(streams.every(stream => stream.tokens() === 50));
    t.is(await status, 0);

    const second = await startSluice(teardown, {env, dataFolder: sluice.dataFolder});
    const books = await readBooks(second.dataFolder, tenant.org);
    t.is(books.ledger.length, 8);
    t.true(books.ledger.every(({outputTokens}) => outputTokens === 50));
    assertNoOverage(await wholeBooks(second.dataFolder, tenant.org, {free: true}));
  },
);
