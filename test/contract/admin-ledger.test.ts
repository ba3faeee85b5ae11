import test from 'ava';
import {uuidv7} from '../../events/uuid.ts';
import {type Json, startAdmin} from '../helpers/admin-server.ts';
import {insertTenantRows} from '../helpers/tenant-rows.ts';

test('what a request was charged is found by the request, by its organisation and by both', async t => {
  const {call, database} = await startAdmin(t);
  const one = await insertTenantRows(database.pool('superuser'), 'one');
  const two = await insertTenantRows(database.pool('superuser'), 'two');
  const path = '/admin/v1/ledger';
  const byRequest = await call('GET', `${path}?request=${one.request}`);
  const entry = byRequest.body.data[0] as Json;
  t.like(entry, {
    request: one.request,
    entry: 'result',
    org: one.org,
    project: one.project,
    key: one.key,
    model: 'model of one',
    environment: 'development',
    priceVersion: 1,
    inputTokens: 7,
    outputTokens: 5,
    cost: '0.00004745',
    estimated: false,
    charges: [
      {
        budget: one.budget,
        window: one.window,
        lease: one.lease,
        unit: 'usd',
        hold: '0.0001',
        amount: '0.00004745',
        covered: '0.00004745',
        overage: '0.00',
      },
    ],
  });
  t.is(byRequest.body.data.length, 1);
  t.deepEqual((await call('GET', `${path}?org=${one.org}`)).body, byRequest.body);
  t.deepEqual(
    (await call('GET', `${path}?org=${one.org}&request=${one.request}`)).body,
    byRequest.body,
  );
  t.deepEqual((await call('GET', `${path}?org=${one.org}&request=${two.request}`)).body.data, []);
  t.deepEqual((await call('GET', `${path}?request=${uuidv7()}`)).body.data, []);
});

test('a correction shows its signed difference beside the entry it corrects, the newest first', async t => {
  const {call, database} = await startAdmin(t);
  const {org, request} = await insertTenantRows(database.pool('superuser'), 'one');
  await database.pool('superuser').query(
    `insert into ledger select month, request, 'correction', org_id, project_id, key_id, model, model_id, environment,
         price_version, at, -2, 0, -5, -47450, false, outcome, traceparent,
         '[{"budget": "${uuidv7()}", "unit": "tokens", "amount": "-7"}]', settled_at + interval '1 second' from ledger`,
  );
  const {data} = (await call('GET', `/admin/v1/ledger?request=${request}&org=${org}`)).body;
  t.deepEqual(
    data.map(item => item.entry),
    ['correction', 'result'],
  );
  t.like(data[0], {cost: '-0.00004745', inputTokens: -2, charges: [{amount: '-7'}]});
});

test('from counts and to does not, and a list that is cut says so', async t => {
  const {call, database} = await startAdmin(t);
  const {org} = await insertTenantRows(database.pool('superuser'), 'one');
  await database.pool('superuser').query(
    `insert into ledger select month, id::uuid, entry, org_id, project_id, key_id, model, model_id, environment,
       price_version, date_trunc('hour', now()) + n * interval '1 minute', input_tokens, 0, output_tokens, cost_nanos,
       estimated, outcome, traceparent, charges from ledger,
       unnest($1::text[]) with ordinality as more (id, n)`,
    [[uuidv7(), uuidv7(), uuidv7()]],
  );
  await database
    .pool('superuser')
    .query('delete from ledger where at <> date_trunc($1, at)', ['minute']);
  const path = `/admin/v1/ledger?org=${org}`;
  // That of the database, which may have been another.
  const hour = String((await call('GET', path)).body.data[0]?.at).slice(0, 13);
  const minutes = async (query: string) =>
    (await call('GET', path + query)).body.data.map(({at}) => (at as string).slice(14, 16));
  t.deepEqual(await minutes(''), ['03', '02', '01']);
  t.deepEqual(await minutes(`&from=${hour}:02:00Z`), ['03', '02']);
  t.deepEqual(await minutes(`&to=${hour}:02:00Z`), ['01']);
  const cut = await call('GET', `${path}&limit=2`);
  t.is(cut.body.data.length, 2);
  const rest = await call('GET', `${path}&limit=2&after=${cut.body.next}`);
  t.is(rest.body.data.length, 1);
  t.false('next' in rest.body);
  t.is((await call('GET', `${path}&after=x`)).status, 400);
});
