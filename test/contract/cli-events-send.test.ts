import {fork} from 'node:child_process';
import {once} from 'node:events';
import {mkdtemp, rm, writeFile} from 'node:fs/promises';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import test, {type ExecutionContext} from 'ava';
import {hashSecret, makeApiKey} from '../../events/api-key.ts';
import {uuidv7} from '../../events/uuid.ts';
import {createCli, normal} from '../helpers/cli.ts';
import {createTestDatabase, type TestDatabase} from '../helpers/database.ts';

const makeKey = async (database: TestDatabase) => {
  const pool = database.pool('system');
  const [org, project, key] = [uuidv7(), uuidv7(), uuidv7()];
  const {text, publicId, secret} = makeApiKey();
  await pool.query('insert into orgs (id, name) values ($1, $1::uuid::text)', [org]);
  await pool.query(`insert into projects (id, org_id, name) values ($1, $2, 'p')`, [project, org]);
  await pool.query(
    `insert into keys (id, org_id, project_id, public_id, secret_hash, name) values ($1, $2, $3, $4, $5, 'k')`,
    [key, org, project, publicId, hashSecret(secret)],
  );
  return {org, text};
};

/** The real events-ingress in a process, a key, a folder, and the command with that key in its environment. */
const setUp = async (t: ExecutionContext) => {
  const database = await createTestDatabase(t);
  const {org, text} = await makeKey(database);
  const child = fork('functions/events-ingress/main.ts', {
    env: {
      PATH: process.env.PATH ?? '',
      PORT: '0',
      DATABASE_URL: database.url('gateway'),
      TENANT_DATABASE_URL: database.url('tenant'),
      EVENTS_PER_SECOND: '100000',
    },
    silent: true,
  });
  t.teardown(() => child.kill('SIGKILL'));
  const [{listening}] = (await once(child, 'message')) as [{listening: number}];
  const folder = await mkdtemp(join(tmpdir(), 'sluice-events-'));
  t.teardown(() => rm(folder, {recursive: true, force: true}));
  const url = `http://127.0.0.1:${listening}`;
  const environment = {SLUICE_URL: url, SLUICE_API_KEY: text, HOME: '/nowhere'};
  const rows = async () =>
    (
      await database.pool('superuser').query<{
        event: {id: string; source: string; type: string; subject?: string; data: unknown};
      }>('select event from outbox order by id')
    ).rows.map(({event}) => event);
  const file = async (name: string, content: string) => {
    const path = join(folder, name);
    await writeFile(path, content);
    return path;
  };
  const cliWith = (more: Parameters<typeof createCli>[0] = {environment}) => createCli(more);
  return {
    url,
    org,
    key: text,
    folder,
    environment,
    rows,
    file,
    cliWith,
    ...createCli({environment}),
  };
};

const send = (...more: string[]) => ['events', 'send', '--type', 'com.example.sold', ...more];

test('one event is sent from options, shown as a page, as JSON, and as its id', async t => {
  const {run, json, rows, org} = await setUp(t);
  const page = await run(...send('--id', 'a1', '--data', '{"order":7}', '--subject', 'order-7'));
  t.is(page.code, 0, page.err);
  t.is(
    normal(page.out),
    `id  a1
type  com.example.sold
source  sluice-cli
subject  order-7
time  TIME
`,
  );
  t.like(await json(...send('--id', 'a2', '--source', 'shop', '--attribute', 'partitionkey=7')), {
    id: 'a2',
    source: 'shop',
    partitionkey: '7',
  });
  t.is((await run(...send('--id', 'a3', '--quiet'))).out, 'a3\n');
  t.is(
    normal((await run(...send('--id', 'a4', '--csv'))).out),
    'id,type,source,subject,time\na4,com.example.sold,sluice-cli,,TIME\n',
  );
  const stored = await rows();
  t.deepEqual(
    stored.map(({id}) => id),
    ['a1', 'a2', 'a3', 'a4'],
  );
  t.like(stored[0], {source: `/orgs/${org}/sluice-cli`, subject: 'order-7', data: {order: 7}});
});

test('an event goes in binary mode, and as a text, too', async t => {
  const {run, rows} = await setUp(t);
  const sent = await run(
    ...send('--id', 'b1', '--mode', 'binary', '--content-type', 'text/plain', '--data', 'Grüße'),
  );
  t.is(sent.code, 0, sent.err);
  t.like((await rows())[0], {
    id: 'b1',
    datacontenttype: 'text/plain',
    data_base64: Buffer.from('Grüße').toString('base64'),
  });
});

test('a long file is sent in batches with progress, and sent again it is the same events', async t => {
  const {run, json, rows, file} = await setUp(t);
  const lines = Array.from({length: 1_200}, (_, order) => JSON.stringify({data: {order}}));
  const path = await file('orders.ndjson', `${lines.join('\n')}\n`);
  const first = await run(...send('--file', path));
  t.is(first.code, 0, first.err);
  t.is(normal(first.out), 'sent  1200\nrequests  3\nlast line  1200\n');
  t.is(first.err, 'sent 500 of 1200\nsent 1000 of 1200\nsent 1200 of 1200\n');
  t.is((await rows()).length, 1_200);
  t.deepEqual(await json(...send('--file', path, '--after', '1100')), {
    sent: 100,
    requests: 1,
    lastLine: 1200,
  } as never);
  t.is((await rows()).length, 1_200);
});

test('a file may be an array or come on standard input, and a dry run prints it and sends nothing', async t => {
  const {run, rows, file, environment, cliWith} = await setUp(t);
  const path = await file('two.json', '[{"id": "c1", "type": "com.example.a"}, {"id": "c2"}]');
  const dry = await run(...send('--file', path, '--dry-run'));
  t.is(dry.code, 0, dry.err);
  t.is(
    normal(dry.out),
    `{"specversion":"1.0","time":"TIME","source":"sluice-cli","id":"c1","type":"com.example.a"}
{"specversion":"1.0","time":"TIME","source":"sluice-cli","id":"c2","type":"com.example.sold"}
`,
  );
  t.is(dry.err, 'would send 2 events\n');
  t.is((await rows()).length, 0);
  const piped = cliWith({environment, read: async () => '{"id": "c3"}\n\n{"id": "c4"}\n'});
  t.is((await piped.run(...send('--file', '-', '--quiet'))).out, 'c3\nc4\n');
  t.is((await rows()).length, 2);
});

test('what is wrong is told with its line, before anything is sent where the file shows it', async t => {
  const {run, rows, file} = await setUp(t);
  const cases: [string, string[], string][] = [
    ['{"id": "1"}\nno json\n', send(), 'line 2: expected an event as JSON'],
    ['{"id": "1"}\n{"id": 7}\n', send(), 'line 2: the attribute id is a text that is not empty'],
    [
      '{"id": "1"}\n[]\n',
      ['events', 'send'],
      'line 1: the attribute type is a text that is not empty',
    ],
  ];
  for (const [content, args, message] of cases) {
    const {code, err} = await run(...args, '--file', await file('bad.ndjson', content));
    t.is(code, 2);
    t.is(err, `sluice: ${message}\n`);
  }
  t.is((await rows()).length, 0);
  const mixed = `${Array.from({length: 501}, () => '{}').join('\n')}\n{"type": "dev.sluice.made.up"}\n`;
  const {code, err} = await run(...send('--file', await file('mixed.ndjson', mixed)));
  t.is(code, 4);
  t.is(
    err,
    'sluice: line 502: types that begin with dev.sluice. are not open to outsiders; 500 of 502 were sent; --after 500 goes on from there\n',
  );
  t.is((await rows()).length, 500);
});

test('without a key, with a wrong one, and with nobody there it says which', async t => {
  const {cliWith, url, file, key, rows} = await setUp(t);
  const bare = {SLUICE_URL: url, HOME: '/nowhere'};
  const none = await cliWith({environment: bare}).run(...send());
  t.deepEqual(
    [none.code, none.err],
    [2, `sluice: no API key for ${url}: set SLUICE_API_KEY or give --key-file\n`],
  );
  const wrong = await cliWith({environment: {...bare, SLUICE_API_KEY: 'sk-nobody-at-all'}}).run(
    ...send(),
  );
  t.deepEqual(
    [wrong.code, wrong.err],
    [4, `sluice: the API key is not one of ${url}, or was revoked\n`],
  );
  const away = await cliWith({
    environment: {...bare, SLUICE_URL: 'http://127.0.0.1:9', SLUICE_API_KEY: key},
  }).run(...send());
  t.is(away.code, 3);
  t.regex(away.err, /^sluice: http:\/\/127\.0\.0\.1:9 does not answer/);
  const filed = await cliWith({environment: bare}).run(
    ...send('--key-file', await file('key', `${key}\n`)),
  );
  t.is(filed.code, 0, filed.err);
  t.is((await rows()).length, 1);
  for (const {err} of [none, wrong, away]) {
    t.false(err.includes('sk-'), err);
  }
});

test('options that do not go together are refused', async t => {
  const {run, file} = await setUp(t);
  const path = await file('one.json', '{"id": "1"}');
  for (const [args, message] of [
    [['events', 'send'], 'give --type and --data, or --file with events'],
    [send('--data', 'order 7'), '--data: expected JSON'],
    [send('--mode', 'batched'), '--mode: expected structured or binary, got "batched"'],
    [send('--file', path, '--data', '{}'), 'give --data and --id for one event, or --file'],
    [send('--file', `${path}x`), 'cannot be read'],
    [send('--attribute', 'Order=7'), '--attribute: expected NAME=VALUE'],
    [send('--after', 'x', '--file', path), '--after: expected a whole number'],
  ] as const) {
    const {code, err} = await run(...args);
    t.is(code, 2);
    t.true(err.includes(message), err);
  }
});
