import {fork} from 'node:child_process';
import {once} from 'node:events';
import test from 'ava';
import {toBinary, toStructured} from '../../events/codec.ts';
import {insertDeadLetters, refusedBy} from '../../events/dead-letters.ts';
import type {Event} from '../../events/event.ts';
import {uuidv7} from '../../events/uuid.ts';
import {createTestDatabase} from '../helpers/database.ts';
import {startDeadletter} from '../helpers/deadletter-server.ts';
import {eventually} from '../helpers/eventually.ts';
import {insertTenantRows} from '../helpers/tenant-rows.ts';

const failed = (id: string, more: object = {}): Event => ({
  specversion: '1.0',
  id,
  source: '/s',
  type: 'test.done',
  knativeerrordest: 'http://one/',
  knativeerrorcode: 500,
  knativeerrordata: Buffer.from('oh').toString('base64'),
  knativebrokerttl: 7,
  data: {id},
  ...more,
});

test('a dead letter is stored once however often it is posted, and answered with nothing', async t => {
  const {post, waiting, call, server} = await startDeadletter(t);
  const {headers, body} = toBinary(failed('1'));
  for (const _ of [1, 2, 3]) {
    t.deepEqual(await post({...headers, 'kn-namespace': 'sluice'}, body), {status: 204, text: ''});
  }
  const [letter, ...others] = await waiting();
  t.deepEqual(others, []);
  t.like(letter, {
    subscription: 'trigger/sluice/one',
    destination: 'http://one/',
    origin: 'broker:default',
    proved: false,
    reason: 'the answer was 500',
    status: 500,
  });
  t.false('event' in (letter as object) || 'errorData' in (letter as object));
  const shown = (await call('GET', `/${letter?.id}`)).body;
  t.is(shown.errorData, 'oh');
  t.like(shown.event, {id: '1', data: {id: '1'}});
  t.false(Object.keys(shown.event).some(name => name.startsWith('knative')));
  await eventually(async () => {
    const metrics = await (await fetch(`${server.url}/metrics`)).text();
    if (!/sluice_dead_letters_total\{subscription="trigger\/sluice\/one"\} 1\n/.test(metrics)) {
      throw new Error(metrics);
    }
    if (!/sluice_dead_letters_waiting 1\n/.test(metrics)) {
      throw new Error(metrics);
    }
  });
});

test('whatever comes is stored and answered with nothing', async t => {
  const {post, waiting} = await startDeadletter(t);
  const structured = 'application/cloudevents+json';
  const deep = `${'['.repeat(50_000)}${']'.repeat(50_000)}`;
  const posted: ReadonlyArray<readonly [headers: Record<string, string>, body: string | Buffer]> = [
    [{'content-type': structured}, '{'],
    [{'content-type': structured}, '{"specversion": "9.9", "id": "1"}'],
    [{'content-type': 'application/cloudevents-batch+json'}, '[]'],
    [{'content-type': 'text/plain'}, 'hello'],
    [{'content-type': 'application/octet-stream'}, Buffer.from([0, 255, 0])],
    [{'content-type': structured}, JSON.stringify(failed('\0'))],
    [{'content-type': structured}, JSON.stringify(failed('x'.repeat(9_000)))],
    [
      {'content-type': structured},
      `{"specversion":"1.0","id":"deep","source":"/s","type":"t","data":${deep}}`,
    ],
    [
      {'content-type': structured},
      '{"specversion":"1.0","id":"nul","source":"/s","type":"t","data":"\\u0000 \\ud800"}',
    ],
    [{}, ''],
  ];
  for (const [headers, body] of posted) {
    t.deepEqual(await post(headers, body), {status: 204, text: ''}, String(body).slice(0, 80));
  }
  t.is((await waiting()).length, posted.length);
});

test('the sink takes POST and nothing else, and asks for no key; the API asks for one', async t => {
  const {server, call} = await startDeadletter(t);
  const options = await fetch(server.url, {method: 'OPTIONS'});
  t.deepEqual([options.status, options.headers.get('allow')], [200, 'POST']);
  const get = await fetch(server.url);
  t.deepEqual([get.status, get.headers.get('allow')], [405, 'POST']);
  for (const [method, path] of [
    ['GET', ''],
    ['GET', `/${uuidv7()}`],
    ['POST', '/redrive'],
    ['POST', '/drop'],
    ['POST', `/${uuidv7()}/redrive`],
    ['POST', `/${uuidv7()}/drop`],
  ] as const) {
    t.is((await call(method, path, method === 'POST' ? {} : undefined, 'wrong')).status, 401);
  }
});

test('letters are found by organisation, subscription, type, time and state, a page at a time', async t => {
  const {database, call, pool} = await startDeadletter(t);
  const one = await insertTenantRows(database.pool('superuser'), 'one');
  await pool.query('delete from dead_letters');
  const letter = (id: string, more: object = {}, name = 'budget') =>
    refusedBy(name, {...failed(id), orgid: one.org, ...more}, 'because');
  await insertDeadLetters(pool, [letter('1'), letter('2', {type: 'test.other'})]);
  await insertDeadLetters(pool, [letter('3', {orgid: uuidv7()}), letter('4', {}, 'usage')]);
  await pool.query(`update dead_letters set dead_at = '2020-01-01' where event_id = '1'`);
  const find = async (query: string): Promise<string[]> =>
    (await call('GET', query)).body.data.map(({eventId}: {eventId: string}) => eventId).sort();
  t.deepEqual(await find(''), ['1', '2', '3', '4']);
  t.deepEqual(await find(`?org=${one.org}`), ['1', '2', '4']);
  t.deepEqual(await find('?type=test.other'), ['2']);
  t.deepEqual(await find('?subscription=usage'), ['4']);
  t.deepEqual(await find('?since=2020-01-02'), ['2', '3', '4']);
  t.deepEqual(await find(`?since=2020-01-02&org=${one.org}&type=test.done`), ['4']);
  t.deepEqual(await find('?state=redriven'), []);

  const seen: string[] = [];
  for (let after = ''; ; ) {
    const {body} = await call('GET', `?limit=1${after}`);
    seen.push(...body.data.map(({eventId}: {eventId: string}) => eventId));
    if (!body.next) {
      break;
    }
    after = `&after=${body.next}`;
  }
  t.deepEqual([seen.at(-1), seen.toSorted()], ['1', ['1', '2', '3', '4']]);

  t.like((await call('POST', '/redrive', {org: one.org, type: 'test.done'})).body, {count: 2});
  t.like((await call('POST', '/drop', {org: one.org})).body, {count: 1});
  t.deepEqual(await find('?state=waiting'), ['3'], "another organisation's is not touched");
  t.deepEqual(await find('?state=redriven'), ['1', '4']);
  t.deepEqual(await find('?state=dropped'), ['2']);
});

test('what is asked for wrongly is 400 and named, what is not there is 404', async t => {
  const {call} = await startDeadletter(t);
  for (const [query, parameter] of [
    ['?org=x', 'org'],
    ['?since=yesterday', 'since'],
    ['?state=lost', 'state'],
    ['?limit=0', 'limit'],
    ['?limit=1001', 'limit'],
    ['?limit=1&limit=2', 'limit'],
    ['?after=x', 'after'],
    ['?type=%00', 'type'],
    ['?typ=x', 'typ'],
    ['/x', 'id'],
  ]) {
    t.like(await call('GET', query as string), {status: 400, body: {parameter}}, query);
  }
  for (const [body, parameter] of [
    [{}, 'all'],
    [{dryRun: true}, 'all'],
    [{all: 'yes'}, 'all'],
    [{all: true, limit: 0}, 'limit'],
    [{all: true, limit: '5'}, 'limit'],
    [{type: 7}, 'type'],
    [{all: true, state: 'dropped'}, 'state'],
  ] as const) {
    for (const act of ['redrive', 'drop']) {
      t.like(await call('POST', `/${act}`, body), {status: 400, body: {parameter}}, act);
    }
  }
  t.is((await call('POST', '/redrive')).status, 400);
  for (const [method, path] of [
    ['GET', ''],
    ['POST', '/redrive'],
    ['POST', '/drop'],
  ] as const) {
    t.is((await call(method, `/${uuidv7()}${path}`)).status, 404);
  }
});

test('a redrive sends what there was, to where it came from, and the letter says so', async t => {
  const {call, pool, post, waiting} = await startDeadletter(t);
  const {headers, body} = toStructured(failed('1', {orgid: uuidv7()}));
  await post(headers, body, '?trigger=one&broker=other');
  const [letter] = await waiting();
  const answer = await call('POST', `/${letter?.id}/redrive`);
  t.like(answer, {status: 200, body: {state: 'redriven'}});
  const {rows} = await pool.query(
    "select destination, event, barrier from outbox where event_id like '%/redriven'",
  );
  t.is(rows.length, 1);
  t.like(rows[0], {destination: 'broker:other', barrier: false});
  const {orgid: _, ...event} = rows[0].event;
  t.deepEqual(event, {
    specversion: '1.0',
    id: '1',
    source: '/s',
    type: 'test.done',
    data: {id: '1'},
    redriven: letter?.id,
  });
  t.like(await call('POST', `/${letter?.id}/redrive`), {status: 409, body: {code: 'conflict'}});
  t.like(await call('POST', `/${letter?.id}/drop`), {status: 409});
  t.deepEqual(await waiting(), []);
});

test('a late repetition of a letter that was redriven stays redriven, a new failure is a new letter', async t => {
  const {call, post, waiting} = await startDeadletter(t);
  const first = toBinary(failed('1'));
  await post(first.headers, first.body);
  const [letter] = await waiting();
  await call('POST', `/${letter?.id}/redrive`);
  await post(first.headers, first.body);
  t.deepEqual(await waiting(), []);
  const again = toBinary(failed('1', {redriven: letter?.id}));
  await post(again.headers, again.body);
  const [second] = await waiting();
  t.truthy(second);
  t.not(second?.id, letter?.id);
  await call('POST', `/${second?.id}/drop`);
  await post(again.headers, again.body);
  t.deepEqual(await waiting(), [], 'what was dropped stays dropped');
});

test('what was dropped is kept without its content and cannot be redriven', async t => {
  const {call, pool, post, waiting} = await startDeadletter(t);
  const {headers, body} = toBinary(failed('1', {data: 'canary'}));
  await post(headers, body);
  const [letter] = await waiting();
  const dropped = await call('POST', `/${letter?.id}/drop`);
  t.like(dropped.body, {state: 'dropped', eventId: '1', reason: 'the answer was 500'});
  const {rows} = await pool.query('select d::text as row from dead_letters d');
  t.notRegex(rows[0].row, /canary|oh\b/);
  t.like(await call('POST', `/${letter?.id}/redrive`), {status: 409});
});

test('what has no way back is refused with the reason', async t => {
  const {call, pool, post, waiting} = await startDeadletter(t);
  await post({'content-type': 'text/plain'}, 'no event');
  const [raw] = await waiting();
  const refused = await call('POST', `/${raw?.id}/redrive`);
  t.is(refused.status, 409);
  t.regex(refused.body.detail, /is not known/);
  const letter = refusedBy('budget', failed('1'), 'because');
  await insertDeadLetters(pool, [{...letter, proved: false}]);
  const forged = await call('POST', `/${letter.id}/redrive`);
  t.is(forged.status, 409);
  t.regex(forged.body.detail, /came over HTTP/);
  await insertDeadLetters(pool, [
    {...refusedBy('usage', failed('2'), 'because'), event: '{"no": "event"}'},
  ]);
  const many = await call('POST', '/redrive', {all: true});
  t.like(many.body, {count: 0, refused: 3, ids: [], more: false});
  t.is((await waiting()).length, 3);
  t.is((await pool.query("select from outbox where event_id like '%/redriven'")).rowCount, 0);
});

test('many are redriven or dropped by filters, in parts, after a dry run that changes nothing', async t => {
  const {call, pool, waiting} = await startDeadletter(t);
  const letters = Array.from({length: 35}, (_, index) =>
    refusedBy(index < 30 ? 'budget' : 'usage', failed(`e${index}`), 'because'),
  );
  await insertDeadLetters(pool, letters);
  const dry = await call('POST', '/redrive', {subscription: 'budget', dryRun: true});
  t.like(dry.body, {dryRun: true, count: 30, refused: 0, more: false});
  t.is(dry.body.ids.length, 30);
  t.is((await waiting()).length, 35);
  const part = await call('POST', '/redrive', {subscription: 'budget', limit: 12});
  t.like(part.body, {dryRun: false, count: 12, more: true});
  const rest = await call('POST', '/redrive', {subscription: 'budget'});
  t.like(rest.body, {count: 18, more: false});
  const {rows} = await pool.query(
    "select destination, barrier, event ->> 'id' as id from outbox where event_id like '%/redriven'",
  );
  t.deepEqual(
    rows.map(({id}) => id).toSorted(),
    letters
      .slice(0, 30)
      .map(({eventId}) => eventId)
      .toSorted(),
  );
  t.true(rows.every(({destination, barrier}) => destination === 'log:sluice.usage' && barrier));
  const dropped = await call('POST', '/drop', {all: true});
  t.like(dropped.body, {count: 5, refused: 0, more: false});
  t.deepEqual(await waiting(), []);
});

test('the deadletter function serves as its own process and ends when told to', async t => {
  const database = await createTestDatabase(t);
  const child = fork('functions/deadletter/main.ts', {
    silent: true,
    env: {
      PATH: process.env.PATH ?? '',
      PORT: '0',
      DATABASE_URL: database.url('system'),
      ADMIN_KEY: 'a key of sixteen or more',
    },
  });
  t.teardown(() => child.kill('SIGKILL'));
  const [{listening}] = (await once(child, 'message')) as [{listening: number}];
  const {headers, body} = toBinary(failed('1'));
  const answer = await fetch(`http://127.0.0.1:${listening}/`, {method: 'POST', headers, body});
  t.is(answer.status, 204);
  child.kill('SIGTERM');
  t.deepEqual(await once(child, 'exit'), [0, null]);
  t.is((await database.pool('system').query('select from dead_letters')).rowCount, 1);
});
