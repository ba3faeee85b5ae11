import assert from 'node:assert/strict';
import {randomBytes} from 'node:crypto';
import test, {type ExecutionContext} from 'ava';
import {asSuperuser} from '../helpers/books.ts';
import {eventually} from '../helpers/eventually.ts';
import {allListen} from '../helpers/function-processes.ts';
import {dumpTables} from '../helpers/outsider-tables.ts';
import {type Sluice, startSluice} from '../helpers/sluice.ts';

const greet = (id: string) => ({
  specversion: '1.0',
  id,
  source: '/shop',
  type: 'dev.sluice.hello.requested.v1',
  data: {name: 'Ada'},
});

const newTrace = () => randomBytes(16).toString('hex');

const post = (
  sluice: Sluice,
  event: object,
  {key, trace}: {key?: string; trace: string},
): Promise<Response> =>
  fetch(`${sluice.url}/events`, {
    method: 'POST',
    headers: {
      'content-type': 'application/cloudevents+json',
      traceparent: `00-${trace}-00f067aa0ba902b7-00`,
      ...(key === undefined ? {} : {authorization: `Bearer ${key}`}),
    },
    body: JSON.stringify(event),
  });

type Line = Readonly<Record<string, unknown>>;

const linesOf = ({lines}: Sluice, trace: string): Line[] =>
  lines
    .filter(line => line.startsWith('{') && line.includes(trace))
    .map(line => JSON.parse(line) as Line);

const countWaiting = ({dataFolder}: Sluice) =>
  asSuperuser(dataFolder, async client => {
    const {rows} = await client.query<{count: number}>('select count(*)::int as count from outbox');
    return rows[0]?.count;
  });

const start = async (t: ExecutionContext) => {
  const sluice = await startSluice(t);
  await allListen(sluice);
  return sluice;
};

test('an event that is posted with a key goes to hello, and its reply to world', async t => {
  const sluice = await start(t);
  const trace = newTrace();
  const response = await post(sluice, greet('1'), {key: sluice.apiKey, trace});
  t.is(response.status, 202, await response.clone().text());
  t.is(await response.text(), '');
  const [hello, world] = await eventually(
    () => {
      const lines = linesOf(sluice, trace);
      return ['hello', 'world'].map(name => {
        const line = lines.find(found => found.function === name);
        assert.ok(line, `${name} was not reached: ${JSON.stringify(lines)}`);
        return line;
      });
    },
    {timeoutMs: 30_000},
  );
  // 200: each has answered with an event of its own.
  t.like(hello, {status: 200, type: 'dev.sluice.hello.requested.v1', event: '1'});
  t.like(world, {status: 200, type: 'dev.sluice.hello.greeted.v1'});

  const outsider = newTrace();
  await eventually(async () => assert.equal(await countWaiting(sluice), 0));
  const before = await dumpTables(sluice.dataFolder);
  for (const key of [undefined, 'sk-junk', `${sluice.apiKey.slice(0, -1)}_`, sluice.adminKey]) {
    const refused = await post(sluice, greet('2'), {trace: outsider, ...(key ? {key} : {})});
    t.is(refused.status, 401);
    t.is(refused.headers.get('content-type'), 'application/problem+json');
  }
  const closed = {...greet('3'), type: 'dev.sluice.inference.finished.v1'};
  t.is((await post(sluice, closed, {key: sluice.apiKey, trace: outsider})).status, 403);

  // A type of the sender's own goes to the tenants' Broker, where no function of ours listens.
  const own = newTrace();
  const sold = {...greet('4'), type: 'com.example.sold'};
  t.is((await post(sluice, sold, {key: sluice.apiKey, trace: own})).status, 202);
  await eventually(async () => assert.equal(await countWaiting(sluice), 0), {timeoutMs: 30_000});

  t.deepEqual(await dumpTables(sluice.dataFolder), before);
  for (const trace of [outsider, own]) {
    const reached = linesOf(sluice, trace).map(line => line.function);
    t.deepEqual([...new Set(reached)], ['events-ingress']);
  }
  t.is(await sluice.stop(), 0);
});
