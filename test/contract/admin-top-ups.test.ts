import test from 'ava';
import {uuidv7} from '../../events/uuid.ts';
import {startBudgetOwner} from '../helpers/budget-owner.ts';
import {insertTenantRows} from '../helpers/tenant-rows.ts';

test('a top-up opens the window where nobody has, and adds to its limit and ceiling at once', async t => {
  const {budget, topUp, show, window, sentOf, changesOf, rowsOf} = await startBudgetOwner(t);
  const id = await budget({unit: 'usd', limit: '5.00'});
  const before = await changesOf(id);
  const {status, body} = await topUp(id, {amount: '2.50', id: 'invoice-1', by: 'finance'});
  t.is(status, 201);
  const {id: place} = (await window(id)) as {id: string};
  t.like(body, {id: 'invoice-1', budget: id, window: place, amount: '2.50', by: 'finance'});
  t.like(await window(id), {
    limit: 7_500_000_000n,
    ceiling: 7_500_000_000n,
    topped_up: 2_500_000_000n,
  });
  t.like(await show(id), {limit: '7.50', toppedUp: '2.50', available: '7.50'});
  t.is(await changesOf(id), before + 1);
  t.deepEqual(await sentOf(id), [`${place}/top-up/invoice-1`]);
  const [sent] = await rowsOf<{event: object}>(
    'select event from outbox where event_id like $1',
    `${id}/%`,
  );
  t.like(sent?.event, {
    type: 'dev.sluice.budget.toppedup.v1',
    source: '/functions/admin',
    subject: id,
    data: {
      budget: id,
      window: place,
      topUp: 'invoice-1',
      unit: 'usd',
      amount: '2500000000',
      limit: '7500000000',
      charged: '0',
    },
  });
});

test('a top-up that is repeated is answered the same and adds nothing', async t => {
  const {budget, topUp, window, sentOf, changesOf, root} = await startBudgetOwner(t);
  const id = await budget();
  const first = await topUp(id, {amount: 50, id: 'a'});
  const changes = await changesOf(id);
  await root.query('delete from outbox');
  for (const amount of [50, '50']) {
    const again = await topUp(id, {amount, id: 'a', by: 'somebody else'});
    t.deepEqual([again.status, again.body], [first.status, first.body]);
  }
  t.like(await window(id), {topped_up: 50n, limit: 1_050n});
  t.is(await changesOf(id), changes);
  t.deepEqual(await sentOf(id), []);
});

test('an id that is used for another amount or another budget is refused, and nothing is added', async t => {
  const {budget, topUp, window, rowsOf, call} = await startBudgetOwner(t);
  const [one, two] = [await budget(), await budget()];
  await topUp(one, {amount: 50, id: 'a'});
  for (const [id, amount] of [
    [one, 51],
    [two, 50],
  ] as const) {
    t.like(await topUp(id, {amount, id: 'a'}), {
      status: 409,
      body: {code: 'conflict', parameter: 'id'},
    });
  }
  t.like(await window(one), {topped_up: 50n});
  t.is((await rowsOf('select from top_ups')).length, 1);
  t.deepEqual((await call('GET', `/admin/v1/budgets/${two}/top-ups`)).body, {data: []} as never);
});

test("another organisation's ids are its own", async t => {
  const {budget, topUp, database} = await startBudgetOwner(t);
  const other = await insertTenantRows(database.pool('superuser'), 'other');
  const id = await budget();
  t.is((await topUp(id, {amount: 50, id: 'a'})).status, 201);
  t.is((await topUp(other.budget, {amount: '7.00', id: 'a'})).status, 201);
  t.is((await topUp(id, {amount: 50, id: other.topUp})).status, 201);
});

test('many calls with one id at once add once and are all answered the same', async t => {
  const {budget, topUp, window, changesOf, sentOf} = await startBudgetOwner(t);
  const id = await budget();
  const changes = await changesOf(id);
  const answers = await Promise.all(
    Array.from({length: 12}, () => topUp(id, {amount: 50, id: 'a'})),
  );
  t.deepEqual(new Set(answers.map(({status}) => status)), new Set([201]));
  t.is(new Set(answers.map(({text}) => text)).size, 1);
  t.like(await window(id), {topped_up: 50n, limit: 1_050n});
  t.is(await changesOf(id), changes + 1);
  t.is((await sentOf(id)).length, 1);
});

test('one id for many budgets at once tops up one of them, the others are refused', async t => {
  const {budget, topUp, rowsOf} = await startBudgetOwner(t);
  const ids = await Promise.all(Array.from({length: 6}, () => budget()));
  const answers = await Promise.all(ids.map(id => topUp(id, {amount: 50, id: 'a'})));
  t.deepEqual(
    answers.map(({status}) => status).toSorted((a, b) => a - b),
    [201, 409, 409, 409, 409, 409],
  );
  const [sum] = await rowsOf<{sum: string}>('select sum(topped_up)::text as sum from windows');
  t.is(sum?.sum, '50');
});

test('a top-up without an id gets one, and each is another', async t => {
  const {budget, topUp, window} = await startBudgetOwner(t);
  const id = await budget();
  const ids = [];
  for (let index = 0; index < 2; index += 1) {
    ids.push((await topUp(id, {amount: 50})).body.id);
  }
  t.not(ids[0], ids[1]);
  t.like(await window(id), {topped_up: 100n});
});

test('top-ups count for their window only, and the limit of the budget stays', async t => {
  const {budget, topUp, grant, show, root} = await startBudgetOwner(t);
  const id = await budget({limit: 100, period: 'day'});
  await topUp(id, {amount: 50});
  t.like(await grant(id, 120), {granted: 120, available: 30});
  await root.query(
    `update windows set starts_at = starts_at - interval '1 day', ends_at = starts_at where budget_id = $1`,
    [id],
  );
  t.like(await show(id), {limit: '100', toppedUp: '0', leased: '0'});
  t.like(await grant(id, 120), {granted: 100});
});

test('a top-up under a paused budget counts when it is resumed', async t => {
  const {budget, topUp, change, grant} = await startBudgetOwner(t);
  const id = await budget({limit: 100});
  await change(id, {paused: true});
  await topUp(id, {amount: 50});
  t.like(await grant(id, 150), {granted: null, available: 0});
  await change(id, {paused: false});
  t.like(await grant(id, 150), {granted: 150});
});

test('top-ups are listed oldest first, page by page, also of one instant', async t => {
  const {budget, topUp, call, root} = await startBudgetOwner(t);
  const id = await budget();
  for (const name of ['c', 'a', 'b']) {
    await topUp(id, {amount: 5, id: name});
  }
  await topUp(await budget(), {amount: 5, id: 'other'});
  const names = async (limit: number) => {
    const found: string[] = [];
    for (let after = ''; ; ) {
      const query = `limit=${limit}${after === '' ? '' : `&after=${after}`}`;
      const {body} = await call('GET', `/admin/v1/budgets/${id}/top-ups?${query}`);
      found.push(...body.data.map(item => item.id));
      if (body.next === undefined) {
        return found;
      }
      after = body.next as string;
    }
  };
  t.deepEqual(await names(1), ['c', 'a', 'b']);
  t.deepEqual(await names(2), ['c', 'a', 'b']);
  await root.query('update top_ups set created_at = now()');
  t.deepEqual(await names(1), ['a', 'b', 'c']);
});

test('a top-up of a budget that there is not is 404', async t => {
  const {topUp} = await startBudgetOwner(t);
  t.is((await topUp(uuidv7(), {amount: 50})).status, 404);
});

test('a top-up that no number can hold is refused, and so is such a limit', async t => {
  const {budget, topUp, change, window} = await startBudgetOwner(t);
  const id = await budget();
  t.is((await topUp(id, {amount: '9000000000000000000'})).status, 201);
  t.like(await topUp(id, {amount: '9000000000000000000'}), {
    status: 400,
    body: {parameter: 'amount'},
  });
  t.like(await change(id, {limit: '9000000000000000000'}), {
    status: 400,
    body: {parameter: 'limit'},
  });
  t.like(await window(id), {topped_up: 9_000_000_000_000_000_000n});
});
