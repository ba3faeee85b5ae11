/**
A whole Sluice in which every function goes to zero after a second without a request, and comes back with the next.
*/
import assert from 'node:assert/strict';
import test, {type ExecutionContext} from 'ava';
import {createAdmin} from '../helpers/admin.ts';
import {wholeBooks} from '../helpers/books.ts';
import {eventually} from '../helpers/eventually.ts';
import {killFunction} from '../helpers/function-processes.ts';
import {type Sluice, startSluice} from '../helpers/sluice.ts';
import {openStream, type Stream} from '../helpers/streams.ts';

type Health = {status: string; functions: Record<string, {status: string; processes: number}>};

const healthOf = async ({url}: Sluice) => (await (await fetch(`${url}/healthz`)).json()) as Health;

/** Waits until no function has a process. */
const allAtZero = (sluice: Sluice) =>
  eventually(
    async () => {
      const {status, functions} = await healthOf(sluice);
      assert.equal(status, 'ok');
      const counts = Object.entries(functions).map(([name, {processes}]) => [name, processes]);
      assert.deepEqual(
        counts,
        Object.keys(functions).map(name => [name, 0]),
      );
    },
    {timeoutMs: 60_000, intervalMs: 100},
  );

const processesOf = async (sluice: Sluice, name: string) =>
  (await healthOf(sluice)).functions[name]?.processes;

const start = (t: ExecutionContext) => {
  t.timeout(300_000);
  return startSluice(t, {
    args: ['--scale-to-zero', '1'],
    env: {LEASE_TTL_MS: '8000'},
    timeoutMs: 120_000,
  });
};

const models = ({url}: Sluice, apiKey: string) =>
  fetch(`${url}/v1/models`, {headers: {authorization: `Bearer ${apiKey}`}});

/** Whole answers only; the ids of the requests in order. */
const answered = async (t: ExecutionContext, streams: readonly Stream[]) => {
  t.deepEqual(new Set(await Promise.all(streams.map(({ended}) => ended))), new Set(['whole']));
  t.deepEqual(
    streams.filter(({status}) => status !== 200).map(stream => stream.text()),
    [],
  );
  return streams.map(({request}) => request).sort();
};

test.serial(
  'every function goes to zero, a request wakes the gateway, and its cost wakes those that book it',
  async t => {
    const sluice = await start(t);
    const tenant = await createAdmin(sluice).createTenant('Asleep');
    await allAtZero(sluice);
    t.is(sluice.children().length, 1, 'the simulated model alone');

    const streams = await Promise.all(
      Array.from({length: 5}, () => openStream({...sluice, apiKey: tenant.apiKey, maxTokens: 3})),
    );
    const requests = await answered(t, streams);
    const books = await wholeBooks(sluice.dataFolder, tenant.org, {timeoutMs: 60_000, free: true});
    t.deepEqual(
      books.ledger.map(({request}) => request),
      requests,
    );
    await allAtZero(sluice);
    t.is(await sluice.stop(), 0);
  },
);

test.serial(
  'kill -9 of what handles events, and of a gateway at rest: nothing is lost or doubled, no client notices',
  async t => {
    const sluice = await start(t);
    const tenant = await createAdmin(sluice).createTenant('Killed asleep');
    const streams: Stream[] = [];
    const ask = async () => {
      const stream = await openStream({...sluice, apiKey: tenant.apiKey, maxTokens: 2});
      streams.push(stream);
      await stream.ended;
    };
    for (const names of [['budget'], ['usage'], ['budget', 'usage']]) {
      await Promise.all([ask(), ask(), ask()]);
      await Promise.all(names.map(name => killFunction(sluice, name)));
    }
    // What a gateway has yet to tell of a request would be settled by policy: this one has told everything.
    await wholeBooks(sluice.dataFolder, tenant.org, {timeoutMs: 60_000});
    for (let turn = 0; turn < 2; turn += 1) {
      t.is((await models(sluice, tenant.apiKey)).status, 200);
      await killFunction(sluice, 'gateway');
      await eventually(async () => assert.equal(await processesOf(sluice, 'gateway'), 0));
    }
    await allAtZero(sluice);
    await ask();

    const requests = await answered(t, streams);
    const books = await wholeBooks(sluice.dataFolder, tenant.org, {timeoutMs: 60_000});
    t.deepEqual(
      books.ledger.map(({request}) => request),
      requests,
    );
    await allAtZero(sluice);
    t.is(await sluice.stop(), 0);
  },
);
