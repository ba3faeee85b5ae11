import assert from 'node:assert/strict';
import test, {type ExecutionContext} from 'ava';
import {hashSecret, makeApiKey} from '../../events/api-key.ts';
import {watchChanges} from '../../events/changes.ts';
import {asTenant, createPool} from '../../events/database.ts';
import {uuidv7} from '../../events/uuid.ts';
import {createPrincipalLoader} from '../../functions/auth/load-principal.ts';
import {createPrincipals, type Verdict} from '../../functions/auth/principals.ts';
import {createTestDatabase} from '../helpers/database.ts';
import {eventually} from '../helpers/eventually.ts';

/** What is promised is a second; a machine with other work may take ten times as long. */
const soon = {timeoutMs: 10_000, intervalMs: 5};

const start = async (t: ExecutionContext) => {
  const database = await createTestDatabase(t);
  const pool = createPool({databaseUrl: database.url('gateway'), name: 'auth'});
  const asked: string[] = [];
  const load = createPrincipalLoader(pool);
  const principals = createPrincipals({
    environment: 'production',
    load: publicId => {
      asked.push(publicId);
      return load(publicId);
    },
  });
  const watcher = watchChanges({
    databaseUrl: database.url('gateway'),
    onChanges: principals.onChanges,
  });
  t.teardown(async () => {
    await watcher.close();
    await pool.end();
  });
  await watcher.start();
  const [org, project, key] = [uuidv7(), uuidv7(), uuidv7()];
  const run = (text: string, values: unknown[]) =>
    asTenant(database.pool('tenant'))(org, client => client.query(text, values));
  await run(`insert into orgs (id, name) values ($1, $1::uuid::text)`, [org]);
  await run(
    `insert into projects (id, org_id, name, unsettled_policy) values ($1, $2, 'p', 'waive')`,
    [project, org],
  );
  const {text, publicId, secret} = makeApiKey();
  const insertKey = (
    fields: {expires_at?: Date; models?: string[]; environments?: string[]} = {},
  ) =>
    run(
      `insert into keys (id, org_id, project_id, public_id, secret_hash, name, expires_at, models, environments)
       values ($1, $2, $3, $4, $5, 'k', $6, $7, $8)`,
      [
        key,
        org,
        project,
        publicId,
        hashSecret(secret),
        fields.expires_at ?? null,
        fields.models ?? null,
        fields.environments ?? null,
      ],
    );
  const becomes = (denied: string | undefined) =>
    eventually(async () => assert.equal(deniedOf(await principals.verify(text)), denied), soon);
  /** What was made just now may still arrive as a change; from then on nothing is looked up any more. */
  const settles = () =>
    eventually(async () => {
      const before = asked.length;
      await principals.verify(text);
      await principals.verify(text);
      assert.equal(asked.length, before);
    });
  const known = {org, project, key, text, publicId};
  return {database, principals, asked, ...known, run, insertKey, becomes, settles};
};

const deniedOf = (verdict: Verdict) => ('denied' in verdict ? verdict.denied : undefined);

test('a revoked key is refused within a second of the commit, and one is asked for no more', async t => {
  const {principals, key, text, run, insertKey, becomes, settles} = await start(t);
  await insertKey();
  await becomes(undefined);
  await settles();
  await run('update keys set revoked_at = now() where id = $1', [key]);
  await becomes('revoked');
  t.is(deniedOf(await principals.verify(text)), 'revoked');
});

test('a key that is asked for without pause is refused for good from a second after its revocation', async t => {
  const {principals, key, text, run, insertKey, becomes} = await start(t);
  await insertKey();
  await becomes(undefined);
  let stops = false;
  const answers: (string | undefined)[] = [];
  const asking = (async () => {
    while (!stops) {
      answers.push(deniedOf(await principals.verify(text)));
      await new Promise(resolve => setImmediate(resolve));
    }
  })();
  await run('update keys set revoked_at = now() where id = $1', [key]);
  await becomes('revoked');
  const from = answers.length;
  await eventually(() => assert.ok(answers.length > from + 100));
  stops = true;
  await asking;
  t.true(answers.slice(from + 1).every(answer => answer === 'revoked'));
});

test('an unknown key is looked up once, and found within a second of its creation', async t => {
  const {asked, publicId, insertKey, becomes, settles} = await start(t);
  await becomes('unknown');
  await settles();
  await insertKey();
  await becomes(undefined);
  t.true(asked.every(id => id === publicId));
});

test('a suspended organisation is refused within a second, and passes again when it is let', async t => {
  const {org, run, insertKey, becomes} = await start(t);
  await insertKey();
  await becomes(undefined);
  await run('update orgs set suspended_at = now() where id = $1', [org]);
  await becomes('suspended');
  await run('update orgs set suspended_at = null where id = $1', [org]);
  await becomes(undefined);
  t.pass();
});

test('a key of another environment, and one that is over, are refused', async t => {
  const elsewhere = await start(t);
  await elsewhere.insertKey({environments: ['staging']});
  await elsewhere.becomes('environment');
  const over = await start(t);
  await over.insertKey({expires_at: new Date(Date.now() - 1)});
  await over.becomes('expired');
  t.pass();
});

test('a principal has its tenant, its models, its policy, and every budget that it counts in', async t => {
  const {database, principals, org, project, key, text, run, insertKey, becomes} = await start(t);
  await insertKey({models: ['a', 'b']});
  const [ofOrg, ofProject, ofKey, ofOther] = [uuidv7(), uuidv7(), uuidv7(), uuidv7()];
  const other = uuidv7();
  await run(`insert into projects (id, org_id, name) values ($1, $2, 'other')`, [other, org]);
  for (const [id, unit, projectId, keyId] of [
    [ofOrg, 'usd', null, null],
    [ofProject, 'tokens', project, null],
    [ofKey, 'usd', null, key],
    [ofOther, 'usd', other, null],
  ]) {
    await run(
      `insert into budgets (id, org_id, unit, project_id, key_id, "limit", period) values ($1, $2, $3, $4, $5, 1, 'month')`,
      [id, org, unit, projectId, keyId],
    );
  }
  // Another organisation's budget has nothing to do with it.
  const stranger = uuidv7();
  await database
    .pool('system')
    .query('insert into orgs (id, name) values ($1, $1::uuid::text)', [stranger]);
  await asTenant(database.pool('tenant'))(stranger, client =>
    client.query(
      `insert into budgets (id, org_id, unit, "limit", period) values ($1, $2, 'usd', 1, 'month')`,
      [uuidv7(), stranger],
    ),
  );
  await becomes(undefined);
  await eventually(async () => {
    const verdict = await principals.verify(text);
    assert.ok('principal' in verdict);
    const {secretHash: _, publicId: __, ...principal} = verdict.principal;
    assert.deepEqual(principal, {
      org,
      project,
      key,
      models: ['a', 'b'],
      environments: null,
      expiresAtMs: null,
      revoked: false,
      suspended: false,
      unsettledPolicy: 'waive',
      keepResults: false,
      budgets: [
        {id: ofOrg, unit: 'usd'},
        {id: ofProject, unit: 'tokens'},
        {id: ofKey, unit: 'usd'},
      ].sort((one, two) => (one.id < two.id ? -1 : 1)),
    });
  }, soon);
  t.pass();
});

test('a budget that is new counts within a second', async t => {
  const {principals, org, text, run, insertKey, becomes} = await start(t);
  await insertKey();
  await becomes(undefined);
  const budget = uuidv7();
  await run(
    `insert into budgets (id, org_id, unit, "limit", period) values ($1, $2, 'usd', 1, 'month')`,
    [budget, org],
  );
  await eventually(async () => {
    const verdict = await principals.verify(text);
    assert.deepEqual('principal' in verdict && verdict.principal.budgets, [
      {id: budget, unit: 'usd'},
    ]);
  }, soon);
  t.pass();
});
