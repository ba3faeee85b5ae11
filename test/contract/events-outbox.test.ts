import test, {type ExecutionContext} from 'ava';
import pg from 'pg';
import {readObject} from '../../events/codec.ts';
import {asTenant, transactionOn} from '../../events/database.ts';
import type {Event} from '../../events/event.ts';
import {createMemoryLog, createOutboxLog, insertIntoOutbox} from '../../events/outbox.ts';
import {uuidv7} from '../../events/uuid.ts';
import {createTestDatabase} from '../helpers/database.ts';

const org = uuidv7();
const make = (id: string, fields: Partial<Event> = {}): Event => ({
  specversion: '1.0',
  id,
  source: '/s',
  type: 't',
  orgid: org,
  ...fields,
});

const start = async (t: ExecutionContext) => {
  const database = await createTestDatabase(t);
  const read = async () =>
    (await database.pool('system').query('select * from outbox order by id')).rows;
  return {...database, read};
};

test('rows keep the event, its organisation and its destination', async t => {
  const {pool, read} = await start(t);
  const event = make('1', {
    time: '2026-11-21T10:00:00.123456789Z',
    data: {'"\\,{}': ['ü😀', null, 0]},
  });
  const bytes = make('2', {datacontenttype: 'image/png', data: Buffer.from([0, 255])});
  await insertIntoOutbox(pool('system'), [
    {destination: 'log:sluice.usage', event, barrier: true},
    {destination: 'broker:default', event: bytes},
  ]);
  const rows = await read();
  t.deepEqual(
    rows.map(row => readObject(row.event)),
    [event, bytes],
  );
  t.like(rows[0], {
    org_id: org,
    source: '/s',
    event_id: '1',
    destination: 'log:sluice.usage',
    barrier: true,
  });
  t.like(rows[1], {destination: 'broker:default', barrier: false});
});

test('an event that is written again is there once, also twice in one batch', async t => {
  const {pool, read} = await start(t);
  const row = {destination: 'broker:default', event: make('1')} as const;
  await insertIntoOutbox(pool('system'), [row, row]);
  await insertIntoOutbox(pool('system'), [row, {...row, event: make('2')}]);
  t.deepEqual(
    (await read()).map(found => found.event_id),
    ['1', '2'],
  );
});

test('no rows are no statement', async t => {
  await insertIntoOutbox({query: () => t.fail()} as never, []);
  t.pass();
});

test('rows go with the transaction that wrote them', async t => {
  const {pool, read} = await start(t);
  await t.throwsAsync(
    transactionOn(pool('system'))(async client => {
      await insertIntoOutbox(client, [{destination: 'broker:default', event: make('1')}]);
      throw new Error('no');
    }),
    {message: 'no'},
  );
  t.deepEqual(await read(), []);
});

test('the gateway appends to the log and can read none of it', async t => {
  const {pool, read} = await start(t);
  const log = createOutboxLog({client: pool('gateway')});
  await log.append([make('1'), make('2')]);
  t.deepEqual(
    (await read()).map(row => [row.event_id, row.destination]),
    [
      ['1', 'log:sluice.usage'],
      ['2', 'log:sluice.usage'],
    ],
  );
  await t.throwsAsync(pool('gateway').query('select * from outbox'), {
    message: /permission denied/,
  });
});

test('a tenant writes events of its own organisation only', async t => {
  const {pool, read} = await start(t);
  const write = (event: Event) =>
    asTenant(pool('tenant'))(org, client =>
      insertIntoOutbox(client, [{destination: 'broker:default', event}]),
    );
  await write(make('1'));
  await t.throwsAsync(write(make('2', {orgid: uuidv7()})), {message: /row-level security/});
  const {orgid: _, ...without} = make('3');
  await t.throwsAsync(write(without as Event), {message: /row-level security/});
  t.deepEqual(
    (await read()).map(row => row.event_id),
    ['1'],
  );
});

test('the relay is woken at the commit, once a statement', async t => {
  const {pool, url} = await start(t);
  const client = new pg.Client({connectionString: url('system')});
  await client.connect();
  let woken = 0;
  client.on('notification', () => {
    woken += 1;
  });
  await client.query('listen sluice_outbox');
  await insertIntoOutbox(pool('gateway'), [
    {destination: 'broker:default', event: make('1')},
    {destination: 'broker:default', event: make('2')},
  ]);
  // Whatever was sent before this answer has arrived with it.
  await client.query('select 1');
  await client.end();
  t.is(woken, 1);
});

test('the log in memory keeps what it got, and fails when it is told to', async t => {
  const log = createMemoryLog();
  await log.append([make('1')]);
  log.state.fail = true;
  await t.throwsAsync(log.append([make('2')]));
  log.state.fail = false;
  await log.append([make('3')]);
  t.deepEqual(
    log.events.map(({id}) => id),
    ['1', '3'],
  );
});
