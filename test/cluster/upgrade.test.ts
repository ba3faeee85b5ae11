/**
Upgrade: a migration that fails stops an upgrade before anything else is changed; this release runs on the schema of the next; and
nobody who asks meanwhile notices. The next release is this one with a migration that expands the tables of the money path.
*/
import assert from 'node:assert/strict';
import {readFileSync} from 'node:fs';
import {setTimeout as pause} from 'node:timers/promises';
import test, {type ExecutionContext} from 'ava';
import {parse} from 'yaml';
import {eventually} from '../helpers/eventually.ts';
import {type Installation, openInstallation, readInstallation} from '../helpers/installation.ts';
import {createKubectl} from './kubectl.ts';
import {accountsOf, messages, openMoney, patience} from './money.ts';
import {loadNextImage} from './next-image.ts';
import {imageValues, upgrade} from './release.ts';

const minutes = 60_000;
const betweenMs = 100;
const nextImage = 'dev.local/sluice:next-release';
const file = '9001-next-release.sql';
const expansions = ['ledger', 'usage_records', 'usage_hourly', 'budgets', 'windows', 'leases'].map(
  table => `alter table ${table} add column next_release text default 'new';`,
);
const migration = {
  file,
  sql: `${expansions.join('\n')}\ncreate table next_release (id uuid primary key);\n`,
};
const contractions = [
  ...expansions.map(statement =>
    statement.replace(/ add column.*/, ' drop column if exists next_release'),
  ),
  'drop table if exists next_release',
  `delete from migrations where name = '${file}'`,
];

const releaseOf = ({
  kubeconfig,
  namespace,
  release,
}: Pick<Installation, 'kubeconfig' | 'namespace' | 'release'>) => ({
  kubeconfig,
  namespace,
  name: release.name,
});

const toNext = (installation: Installation) =>
  upgrade(releaseOf(installation), {
    ...installation.release.values,
    image: imageValues(nextImage),
    migration: {backoffLimit: 0},
  });

/** Function to the revision that serves it. */
const revisionsOf = async ({kubectl}: Installation) =>
  Object.fromEntries(
    (
      await kubectl(
        ...['get', 'ksvc', '-o'],
        'jsonpath={range .items[*]}{.metadata.name} {.status.latestReadyRevisionName}{"\\n"}{end}',
      )
    )
      .split('\n')
      .map(line => line.split(' ')),
  );

const migrationsOf = async ({pool}: Installation) =>
  (await pool('owner').query<{name: string}>('select name from migrations')).rows.map(
    ({name}) => name,
  );

/** One request after the other until `work` is done, slow enough for a small node to start pods. Resolves with their number. */
const askWhile = async (
  {client, model}: Pick<Awaited<ReturnType<typeof openMoney>>, 'client' | 'model'>,
  work: () => Promise<unknown>,
): Promise<number> => {
  let done = false;
  let answered = 0;
  const asking = (async () => {
    while (!done) {
      await client.chat.completions.create({model, messages, max_tokens: 4});
      answered += 1;
      await pause(betweenMs);
    }
  })();
  const working = work().finally(() => {
    done = true;
  });
  await Promise.all([working, asking]);
  return answered;
};

const isCharged = async (t: ExecutionContext) => {
  const {installation, tenant, client, model} = await openMoney(t);
  await client.chat.completions.create({model, messages, max_tokens: 20});
  const books = await eventually(async () => {
    const found = await accountsOf(installation, tenant);
    assert.equal(found.rows.length, 1);
    assert.equal(found.requests, 1);
    assert.equal(found.spent, found.ledger);
    return found;
  }, patience);
  t.true(books.ledger > 0n);
  t.is(books.daily, books.ledger);
};

test.before(async t => {
  t.timeout(20 * minutes);
  await loadNextImage(readInstallation().kubeconfig, {name: nextImage, migration});
});

test.after.always(async t => {
  t.timeout(20 * minutes);
  const teardowns: (() => unknown)[] = [];
  const installation = openInstallation({teardown: close => void teardowns.push(close)});
  for (const statement of contractions) {
    await installation.pool('owner').query(statement);
  }
  const {code, stderr} = await upgrade(releaseOf(installation), installation.release.values);
  for (const close of teardowns) {
    await close();
  }
  assert.equal(code, 0, stderr);
});

test.serial('an upgrade whose migration fails is refused, and what ran serves on', async t => {
  t.timeout(20 * minutes);
  const money = await openMoney(t);
  const {installation} = money;
  // Somebody made by hand what the migration is about to make.
  await installation.pool('owner').query('create table next_release (id integer)');
  const before = await revisionsOf(installation);
  const applied = await migrationsOf(installation);
  const answered = await askWhile(money, async () => {
    const {code, stderr} = await toNext(installation);
    t.not(code, 0);
    t.regex(stderr, /pre-upgrade hooks failed/);
    t.regex(await installation.kubectl('logs', 'job/migrate'), /"next_release" already exists/);
  });
  t.true(answered > 0);
  t.log(`${answered} requests were answered while the upgrade failed`);
  t.deepEqual(await revisionsOf(installation), before);
  t.deepEqual(await migrationsOf(installation), applied);
  await isCharged(t);
  await installation.pool('owner').query('drop table next_release');
});

test.serial('this release, started anew, serves and charges on the schema of the next', async t => {
  t.timeout(20 * minutes);
  const installation = openInstallation(t);
  const before = await revisionsOf(installation);
  const job = parse(
    readFileSync(new URL('../../knative/05-migrate.yaml', import.meta.url), 'utf8'),
  );
  Object.assign(job.metadata, {name: 'migrate-next', namespace: installation.namespace});
  const {containers, initContainers} = job.spec.template.spec;
  for (const container of [...containers, ...initContainers]) {
    container.image = nextImage;
  }
  await createKubectl(installation.kubeconfig)(['apply', '-f', '-'], JSON.stringify(job));
  await installation.kubectl(
    'wait',
    '--for=condition=complete',
    'job/migrate-next',
    '--timeout=900s',
  );
  t.true((await migrationsOf(installation)).includes(file));
  // The sources too.
  await installation.kubectl('delete', 'pods', '--all', '--wait=true', '--timeout=900s');
  await isCharged(t);
  t.deepEqual(await revisionsOf(installation), before);
});

test.serial('an upgrade passes while requests run, and every one is answered', async t => {
  t.timeout(20 * minutes);
  const money = await openMoney(t);
  const {installation} = money;
  const before = await revisionsOf(installation);
  const answered = await askWhile(money, async () => {
    const {code, stderr} = await toNext(installation);
    t.is(code, 0, stderr);
    await eventually(
      async () => {
        const after = await revisionsOf(installation);
        assert.deepEqual(
          Object.keys(before).filter(name => after[name] === before[name]),
          [],
        );
      },
      {timeoutMs: 10 * minutes, intervalMs: 1_000},
    );
  });
  t.log(`${answered} requests were answered while it was upgraded`);
  t.true(answered > 0);
  await isCharged(t);
});
