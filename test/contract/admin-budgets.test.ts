import test from 'ava';
import {uuidv7} from '../../events/uuid.ts';
import {startAdmin} from '../helpers/admin-server.ts';
import {startBudgetOwner} from '../helpers/budget-owner.ts';
import {insertTenantRows} from '../helpers/tenant-rows.ts';

const base = '/admin/v1/budgets';

test('a new budget has its whole limit left and no window yet', async t => {
  const {call, createTenant} = await startAdmin(t);
  const {org, project, key} = await createTenant('one');
  for (const owner of [{org}, {project}, {key}]) {
    const {status, body} = await call('POST', base, {
      ...owner,
      unit: 'usd',
      limit: '5.00',
      period: 'day',
      timeZone: 'Europe/Berlin',
      thresholds: [90, 10],
    });
    t.is(status, 201);
    t.like(body, {
      ...owner,
      org,
      timeZone: 'Europe/Berlin',
      thresholds: [10, 90],
      limit: '5.00',
      spent: '0.00',
      overage: '0.00',
      leased: '0.00',
      remaining: '5.00',
      available: '5.00',
      paused: false,
      window: null,
    });
    t.deepEqual((await call('GET', `${base}/${body.id}`)).body, body);
  }
  const {body} = await call('GET', `${base}?org=${org}`);
  t.is(body.data.length, 4);
});

test('a budget of tokens counts whole tokens, given as number or digits', async t => {
  const {create, createTenant} = await startAdmin(t);
  const {org} = await createTenant('one');
  const tokens = {org, unit: 'tokens', period: 'none'};
  t.like(await create(base, {...tokens, limit: 250_000}), {limit: '250000', spent: '0'});
  const large = await create(base, {...tokens, limit: '9000000000000000000'});
  t.like(large, {limit: '9000000000000000000', available: '9000000000000000000'});
});

test('a budget of GPU milliseconds counts whole milliseconds, and a request is charged by them', async t => {
  const {budget, change, topUp, grant, deliver, eventsOf, show} = await startBudgetOwner(t);
  const id = await budget({unit: 'gpu_ms', limit: '60000'});
  t.like(await show(id), {unit: 'gpu_ms', limit: '60000', spent: '0', available: '60000'});
  for (const limit of ['60000.5', '1.00', 0.5]) {
    t.like(await change(id, {limit}), {status: 400, body: {parameter: 'limit'}});
  }
  await change(id, {limit: 30_000});
  t.like((await topUp(id, {amount: 5_000})).body, {amount: '5000'});
  const held = await grant(id, 20_000);
  await deliver(eventsOf(held, 12_345, {unit: 'gpu_ms'}));
  t.like(await show(id), {limit: '35000', toppedUp: '5000', spent: '12345', leased: '7655'});
});

test('a budget tells what its current window counts', async t => {
  const {call, database} = await startAdmin(t);
  const {org, budget, window} = await insertTenantRows(database.pool('superuser'), 'one');
  const {body} = await call('GET', `${base}/${budget}`);
  t.like(body, {
    org,
    limit: '5.00',
    spent: '1.50',
    overage: '0.25',
    leased: '0.50',
    remaining: '3.50',
    available: '3.00',
  });
  const {rows} = await database.pool('superuser').query('select starts_at from windows');
  t.like(body.window, {id: window, start: rows[0].starts_at.toISOString()});
  t.regex(String((body.window as {start: string}).start), /-01T00:00:00\.000Z$/);
});

test('a window of another time is not counted', async t => {
  const {call, database} = await startAdmin(t);
  const {budget} = await insertTenantRows(database.pool('superuser'), 'one');
  await database
    .pool('superuser')
    .query("update windows set starts_at = starts_at - interval '1 month', ends_at = starts_at");
  t.like((await call('GET', `${base}/${budget}`)).body, {spent: '0.00', window: null});
});

test('a window for ever has no start and no end', async t => {
  const {call, create, createTenant, database} = await startAdmin(t);
  const {org} = await createTenant('one');
  const {id} = await create(base, {org, unit: 'tokens', limit: 10, period: 'none'});
  await database.pool('superuser').query(
    `insert into windows (org_id, budget_id, starts_at, ends_at, "limit", ceiling, spent)
       values ($1, $2, '-infinity', 'infinity', 10, 10, 4)`,
    [org, id],
  );
  const {body} = await call('GET', `${base}/${id}`);
  t.like(body, {spent: '4', remaining: '6', window: {start: null, end: null}});
});

test('a lowered limit shows at once, and what is over it as less than nothing', async t => {
  const {call, database} = await startAdmin(t);
  const {budget} = await insertTenantRows(database.pool('superuser'), 'one');
  const {status, body} = await call('PATCH', `${base}/${budget}`, {limit: '1'});
  t.is(status, 200);
  t.like(body, {limit: '1.00', spent: '1.50', remaining: '-0.50', available: '0.00'});
  t.deepEqual((await call('GET', `${base}/${budget}`)).body, body);
});

test('what was topped up counts to the limit of its window', async t => {
  const {call, database} = await startAdmin(t);
  const {budget} = await insertTenantRows(database.pool('superuser'), 'one');
  await database.pool('superuser').query('update windows set topped_up = 1000000000');
  t.like((await call('GET', `${base}/${budget}`)).body, {limit: '6.00', remaining: '4.50'});
});

test('a paused budget has nothing available until it is resumed, and keeps its limit', async t => {
  const {call, createTenant, database} = await startAdmin(t);
  const {budget} = await createTenant('one');
  const path = `${base}/${budget}`;
  t.like((await call('PATCH', path, {paused: true})).body, {
    paused: true,
    available: '0.00',
    limit: '5.00',
  });
  const pausedAt = await database.pool('superuser').query('select paused_at from budgets');
  await call('PATCH', path, {paused: true, limit: '7.00'});
  t.deepEqual(
    (await database.pool('superuser').query('select paused_at from budgets')).rows,
    pausedAt.rows,
  );
  t.like((await call('PATCH', path, {paused: false})).body, {paused: false, available: '7.00'});
});

test('a budget for what there is not is 404', async t => {
  const {call} = await startAdmin(t);
  for (const owner of ['org', 'project', 'key']) {
    const body = {[owner]: uuidv7(), unit: 'usd', limit: '5.00', period: 'day'};
    t.like(await call('POST', base, body), {status: 404, body: {parameter: owner}});
  }
});

test('the limit of a budget is changed in its own unit only', async t => {
  const {call, create, createTenant} = await startAdmin(t);
  const {org, budget} = await createTenant('one');
  t.is((await call('PATCH', `${base}/${budget}`, {limit: 5})).status, 400);
  const tokens = await create(base, {org, unit: 'tokens', limit: 10, period: 'none'});
  t.is((await call('PATCH', `${base}/${tokens.id}`, {limit: '5.00'})).status, 400);
  t.like((await call('GET', `${base}/${tokens.id}`)).body, {limit: '10'});
});
