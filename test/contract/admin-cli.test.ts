import test, {type ExecutionContext} from 'ava';
import {runCli} from '../../functions/admin/cli/program.ts';
import {adminKey, type Json, startAdmin} from '../helpers/admin-server.ts';
import {insertTenantRows} from '../helpers/tenant-rows.ts';

const setUp = async (t: ExecutionContext) => {
  const admin = await startAdmin(t);
  const run = async (...args: string[]) => {
    const written = {out: '', err: ''};
    const code = await runCli(args, {
      environment: {SLUICE_URL: admin.url, SLUICE_ADMIN_KEY: adminKey},
      folder: '/',
      out: text => {
        written.out += text;
      },
      err: text => {
        written.err += text;
      },
      terminal: false,
    });
    return {code, ...written};
  };
  const json = async (...args: string[]) => {
    const {code, out, err} = await run(...args, '--json');
    t.is(code, 0, err);
    return JSON.parse(out) as Json;
  };
  return {admin, run, json};
};

test('a budget is created, listed, shown, changed, paused and resumed', async t => {
  const {admin, run, json} = await setUp(t);
  const {org, project} = await admin.createTenant('Acme & Sons');
  const created = await json(
    'budget',
    'create',
    '--org',
    'Acme & Sons',
    '--limit',
    '2.50',
    '--period',
    'day',
    '--time-zone',
    'Europe/Berlin',
    '--thresholds',
    '50,90',
  );
  t.like(created, {
    org,
    unit: 'usd',
    limit: '2.50',
    timeZone: 'Europe/Berlin',
    thresholds: [50, 90],
  });
  const tokens = await json(
    'budget',
    'create',
    '--project',
    project,
    '--unit',
    'tokens',
    '--limit',
    '1000',
  );
  t.like(tokens, {project, unit: 'tokens', limit: '1000', period: 'month'});
  t.is((await json('budget', 'list')).data.length, 3);
  t.deepEqual(await json('budget', 'show', created.id), created);
  t.like(await json('budget', 'set', created.id, '--limit', '3'), {limit: '3.00'});
  t.like(await json('budget', 'set', created.id, '--pause'), {paused: true, available: '0.00'});
  t.like(await json('budget', 'set', created.id, '--resume'), {paused: false, available: '3.00'});
  t.regex((await run('budget', 'show', created.id)).out, /^limit +3\.00$/m);
});

test('a budget is topped up, once by one id, and its top-ups are listed', async t => {
  const {admin, run, json} = await setUp(t);
  const {budget} = await admin.createTenant('one');
  const topUp = ['budget', 'topup', budget, '--amount', '2.50', '--id', 'invoice-1'];
  const first = await json(...topUp, '--by', 'finance');
  t.like(first, {id: 'invoice-1', budget, amount: '2.50', by: 'finance'});
  t.deepEqual(await json(...topUp), first);
  t.regex((await run(...topUp)).out, /^amount +2\.50$/m);
  await json('budget', 'topup', budget, '--amount', '1');
  t.like(await json('budget', 'show', budget), {limit: '8.50', toppedUp: '3.50'});
  t.deepEqual(
    (await json('budget', 'topups', budget)).data.map(({amount}) => amount),
    ['2.50', '1.00'],
  );
  t.regex((await run('budget', 'topups', budget, '--csv')).out, /^invoice-1,2\.50,finance,/m);
  const {code, err} = await run('budget', 'topup', budget, '--amount', '3', '--id', 'invoice-1');
  t.is(code, 1);
  t.regex(err, /there is a top-up invoice-1 already/);
});

test('a budget of GPU milliseconds is created, and its thresholds are changed', async t => {
  const {admin, run, json} = await setUp(t);
  const {org} = await admin.createTenant('one');
  const {id, ...created} = await json(
    ...['budget', 'create', '--org', org, '--unit', 'gpu_ms', '--limit', '60000'],
  );
  t.like(created, {unit: 'gpu_ms', limit: '60000'});
  t.like(await json('budget', 'set', id, '--thresholds', '90,10'), {thresholds: [10, 90]});
  t.is((await run('budget', 'set', id, '--thresholds', 'many')).code, 2);
  t.is((await run('budget', 'set', id)).code, 2);
});

test('the ledger is shown for a request and for the only organisation', async t => {
  const {admin, run, json} = await setUp(t);
  const {request} = await insertTenantRows(admin.database.pool('superuser'), 'one');
  const {code, out} = await run('ledger', '--request', request);
  t.is(code, 0);
  t.regex(out, /COST/);
  t.regex(out, /result +model of one +7 +0 +5 +0\.00004745 +completed +no/);
  t.deepEqual(await json('ledger'), await json('ledger', '--request', request));
});

test('what the API refuses is told with its parameter', async t => {
  const {admin, run} = await setUp(t);
  await admin.createTenant('one');
  const {code, err} = await run('budget', 'create', '--org', 'one', '--limit', '5,00');
  t.is(code, 2);
  t.regex(err, /^sluice: limit: expected: USD as decimal text/);
  t.is((await run('ledger', '--limit', '0')).code, 2);
  t.is((await run('budget', 'show', '../orgs')).code, 2);
});
