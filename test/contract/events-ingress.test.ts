import assert from 'node:assert/strict';
import {fork} from 'node:child_process';
import {randomBytes} from 'node:crypto';
import {once} from 'node:events';
import {request as sendRequest} from 'node:http';
import {type AddressInfo, connect, createServer, type Socket} from 'node:net';
import test, {type ExecutionContext} from 'ava';
import {hashSecret, makeApiKey} from '../../events/api-key.ts';
import {createStamps} from '../../events/org-stamp.ts';
import {uuidv7} from '../../events/uuid.ts';
import {createPostgresStore} from '../../functions/events-ingress/store.ts';
import {createTestDatabase, type TestDatabase} from '../helpers/database.ts';
import {eventually} from '../helpers/eventually.ts';

const event = {specversion: '1.0', id: '1', source: 'shop', type: 'com.example.sold'};
const greet = {...event, type: 'dev.sluice.hello.requested.v1', data: {name: 'Ada'}};

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
  return {org, project, key, text};
};

const startProcess = (t: ExecutionContext, environment: Record<string, string>) => {
  const child = fork('functions/events-ingress/main.ts', {
    env: {PATH: process.env.PATH ?? '', PORT: '0', ...environment},
    silent: true,
  });
  t.teardown(() => child.kill('SIGKILL'));
  let log = '';
  child.stderr?.setEncoding('utf8').on('data', text => {
    log += text;
  });
  const exited = once(child, 'close').then(([code]) => ({code, log}));
  return {child, exited, log: () => log};
};

const start = async (t: ExecutionContext, environment: Record<string, string>) => {
  const started = startProcess(t, environment);
  const [message] = (await Promise.race([
    once(started.child, 'message'),
    started.exited.then(({log}) => Promise.reject(new Error(log))),
  ])) as [{listening: number}];
  const url = `http://127.0.0.1:${message.listening}`;
  const post = (value: unknown, key: string) =>
    fetch(`${url}/events`, {
      method: 'POST',
      headers: {
        'content-type': `application/cloudevents${Array.isArray(value) ? '-batch' : ''}+json`,
        authorization: `Bearer ${key}`,
      },
      body: JSON.stringify(value),
    });
  return {...started, url, post};
};

const startOn = (t: ExecutionContext, database: TestDatabase, more: Record<string, string> = {}) =>
  start(t, {
    DATABASE_URL: database.url('gateway'),
    TENANT_DATABASE_URL: database.url('tenant'),
    ...more,
  });

type Row = {destination: string; org: string; source: string; id: string; event: typeof event};

const rowsOf = async (database: TestDatabase): Promise<Row[]> => {
  const {rows} = await database
    .pool('superuser')
    .query<Row>(
      'select destination, org_id as org, source, event_id as id, event from outbox order by outbox.id',
    );
  return rows;
};

test('nobody speaks for another, in whatever an event may say of itself', async t => {
  const database = await createTestDatabase(t);
  const [own, victim] = [await makeKey(database), await makeKey(database)];
  const {post} = await startOn(t, database);
  const forged = [
    {...event, orgid: victim.org, projectid: victim.project, partitionkey: victim.org},
    {...event, source: `/orgs/${victim.org}/shop`},
    {...event, source: `../${victim.org}/shop`},
    {...event, source: '/functions/budget'},
    {...greet, orgid: victim.org, source: '/functions/hello'},
  ];
  for (const each of forged) {
    t.is((await post(each, own.text)).status, 202);
  }
  t.is((await post(forged, own.text)).status, 202);
  for (const type of ['inference.finished.v1', 'lease.fenced.v1', 'settlement.due.v1']) {
    const response = await post({...event, type: `dev.sluice.${type}`}, own.text);
    t.is(response.status, 403, type);
  }
  const rows = await rowsOf(database);
  // The last two have one id and one source: who says the same twice is stored once.
  t.is(rows.length, new Set(forged.map(({id, source}) => `${source} ${id}`)).size);
  for (const row of rows) {
    const {orgid, projectid, partitionkey, source} = row.event as typeof event &
      Record<string, string>;
    t.is(row.org, own.org);
    t.like({orgid, projectid}, {orgid: own.org, projectid: own.project});
    t.true(row.source.startsWith(`/orgs/${own.org}/`), row.source);
    t.is(source, row.source);
    t.true(partitionkey === own.org || partitionkey?.startsWith(`${own.org}/`));
    t.true(['broker:default', 'broker:tenants'].includes(row.destination));
  }
});

test.serial(
  'what goes to the tenants’ Broker has its organisation’s stamp and nobody else’s, and no log line has it',
  async t => {
    const database = await createTestDatabase(t);
    const [own, victim] = [await makeKey(database), await makeKey(database)];
    const key = randomBytes(32).toString('base64url');
    const stampOf = createStamps(key);
    const {post, url, child, exited} = await startOn(t, database, {STAMP_KEY: key});
    // One by one and as a batch: who knows the victim's stamp does not get it past the door either.
    const forged = [undefined, 'forged', stampOf(victim.org)].map((sluicestamp, index) => ({
      ...{...event, id: `${index}`, orgid: victim.org},
      ...(sluicestamp === undefined ? {} : {sluicestamp}),
    }));
    for (const each of forged) {
      t.is((await post(each, own.text)).status, 202);
    }
    t.is((await post([...forged, {...greet, id: 'ours'}], own.text)).status, 202);
    const headers = {
      ...{authorization: `Bearer ${own.text}`, 'content-type': 'application/json'},
      ...{'ce-specversion': '1.0', 'ce-id': 'binary', 'ce-source': 'shop', 'ce-type': event.type},
      'ce-sluicestamp': stampOf(victim.org),
    };
    t.is((await fetch(`${url}/events`, {method: 'POST', headers, body: '{}'})).status, 202);
    t.is((await post({...event, id: 'theirs'}, victim.text)).status, 202);
    const rows = await rowsOf(database);
    const stamps = rows.map(({id, destination, event: stored}) => [
      id,
      destination,
      (stored as Record<string, unknown>).sluicestamp,
    ]);
    t.deepEqual(stamps, [
      ...['0', '1', '2'].map(id => [id, 'broker:tenants', stampOf(own.org)]),
      ['ours', 'broker:default', undefined],
      ['binary', 'broker:tenants', stampOf(own.org)],
      ['theirs', 'broker:tenants', stampOf(victim.org)],
    ]);
    t.is((await (await fetch(`${url}/metrics`)).text()).includes(stampOf(own.org)), false);
    child.kill('SIGTERM');
    const {log} = await exited;
    for (const secret of [key, stampOf(own.org), stampOf(victim.org)]) {
      t.false(log.includes(secret));
    }
    t.false(log.includes('STAMP_KEY'));
  },
);

test.serial('without a key of stamps events have none, and the start says so once', async t => {
  const database = await createTestDatabase(t);
  const own = await makeKey(database);
  const {post, log} = await startOn(t, database);
  t.is((await post({...event, sluicestamp: 'forged'}, own.text)).status, 202);
  t.is((await post({...event, id: '2'}, own.text)).status, 202);
  for (const row of await rowsOf(database)) {
    t.false('sluicestamp' in row.event);
  }
  t.is(log().split('STAMP_KEY is not set').length, 2);
});

test('a key without the scope `events` sends none', async t => {
  const database = await createTestDatabase(t);
  const own = await makeKey(database);
  const scope = (scopes: string) =>
    database
      .pool('system')
      .query('update keys set scopes = $2::text[] where id = $1', [own.key, scopes]);
  await scope('{inference,models}');
  const {post} = await startOn(t, database);
  const refused = await post(event, own.text);
  t.is(refused.status, 403);
  t.is(refused.headers.get('content-type'), 'application/problem+json');
  t.like(await refused.json(), {code: 'forbidden'});
  await scope('{events}');
  await eventually(async () => assert.equal((await post(event, own.text)).status, 202));
});

test('a wrong stamp is refused by the database', async t => {
  const database = await createTestDatabase(t);
  const [own, victim] = [await makeKey(database), await makeKey(database)];
  const store = createPostgresStore({
    tenant: database.pool('tenant'),
    gateway: database.pool('gateway'),
  });
  const row = (orgid: string, destination: 'broker:tenants' | 'log:sluice.usage') =>
    ({destination, event: {...event, specversion: '1.0', orgid}}) as const;
  await t.throwsAsync(store.append(own.org, [row(victim.org, 'broker:tenants')]), {
    message: /unexpected fault/,
  });
  await t.throwsAsync(store.append(own.org, [row(own.org, 'log:sluice.usage')]));
  t.deepEqual(await rowsOf(database), []);
  await store.append(own.org, [row(own.org, 'broker:tenants')]);
  t.is((await rowsOf(database)).length, 1);
  t.is((await store.backlog()).rows, 1);
});

test('a batch with one bad event stores nothing, and says which', async t => {
  const database = await createTestDatabase(t);
  const {text} = await makeKey(database);
  const {post} = await startOn(t, database);
  const good = Array.from({length: 20}, (_, index) => ({...event, id: `${index}`}));
  const bad: [object, number, string][] = [
    [{...event, id: ''}, 400, '/20'],
    [{...greet, data: {name: 1}}, 422, '/20/data/name'],
    [{...event, type: 'dev.sluice.inference.started.v1'}, 403, '/20/type'],
    [{...event, data: 'x'.repeat(300_000)}, 413, '/20'],
  ];
  for (const [last, status, parameter] of bad) {
    const response = await post([...good, last, {...event, id: 'z'}], text);
    t.is(response.status, status);
    t.like(await response.json(), {parameter});
  }
  t.deepEqual(await rowsOf(database), []);
  t.is((await post(good, text)).status, 202);
  t.deepEqual(
    (await rowsOf(database)).map(({id}) => id),
    good.map(({id}) => id),
  );
});

test('what only the database cannot read is refused for what it is, and stores nothing', async t => {
  const database = await createTestDatabase(t);
  const {text} = await makeKey(database);
  const {url} = await startOn(t, database);
  const deep = `${'['.repeat(60_000)}${']'.repeat(60_000)}`;
  // Hidden in a member that the next one of its name replaces.
  for (const data of [`{"a":${deep},"a":1}`, `{"a":"\\ud800","a":1}`, `{"a":1e999999,"a":1}`]) {
    const response = await fetch(`${url}/events`, {
      method: 'POST',
      headers: {
        'content-type': 'application/cloudevents+json',
        authorization: `Bearer ${text}`,
      },
      body: `{"specversion":"1.0","id":"${data.length}","source":"s","type":"t","data":${data}}`,
    });
    t.true([202, 422].includes(response.status), `${response.status}`);
  }
  for (const {event: stored} of await rowsOf(database)) {
    t.like(stored, {data: {a: 1}});
  }
});

test('an event that is posted again while it waits is stored once, and both posts are answered 202', async t => {
  const database = await createTestDatabase(t);
  const [one, two] = [await makeKey(database), await makeKey(database)];
  const {post} = await startOn(t, database);
  const statuses = await Promise.all(
    Array.from({length: 8}, async () => (await post([event, event], one.text)).status),
  );
  t.deepEqual([...new Set(statuses)], [202]);
  t.is((await rowsOf(database)).length, 1);
  // The same id and source of somebody else is another event.
  t.is((await post(event, two.text)).status, 202);
  t.is((await rowsOf(database)).length, 2);
});

test('what was answered 202 is there after a kill -9', async t => {
  const database = await createTestDatabase(t);
  const {text} = await makeKey(database);
  const {post, child, exited} = await startOn(t, database);
  const accepted: string[] = [];
  const send = async (worker: number) => {
    for (let number = 0; ; number += 1) {
      const id = `${worker}-${number}`;
      const response = await post({...event, id}, text).catch(() => undefined);
      if (response?.status !== 202) {
        return;
      }
      accepted.push(id);
      if (accepted.length === 40) {
        child.kill('SIGKILL');
      }
    }
  };
  await Promise.all([send(1), send(2), send(3), send(4)]);
  await exited;
  t.true(accepted.length >= 40);
  const stored = new Set((await rowsOf(database)).map(({id}) => id));
  t.deepEqual(
    accepted.filter(id => !stored.has(id)),
    [],
  );
});

test('a key that is revoked while the body comes sends nothing', async t => {
  const database = await createTestDatabase(t);
  const {key, text} = await makeKey(database);
  const {post, url} = await startOn(t, database);
  const body = JSON.stringify(event);
  const answered = Promise.withResolvers<number>();
  const call = sendRequest(`${url}/events`, {
    method: 'POST',
    headers: {
      authorization: `Bearer ${text}`,
      'content-type': 'application/cloudevents+json',
      'content-length': Buffer.byteLength(body),
    },
  });
  call.on('response', response => {
    response.resume();
    answered.resolve(response.statusCode ?? 0);
  });
  call.write(body.slice(0, 10));
  t.is((await post({...event, id: '2'}, text)).status, 202);
  await database.pool('system').query('update keys set revoked_at = now() where id = $1', [key]);
  const later = {...event, id: '3'};
  await eventually(async () => assert.equal((await post(later, text)).status, 401));
  call.end(body.slice(10));
  t.is(await answered.promise, 401);
  t.false((await rowsOf(database)).some(({id}) => id === event.id));
});

test('a revocation and a suspension count within a second, and the process drains', async t => {
  const database = await createTestDatabase(t);
  const {org, key, text} = await makeKey(database);
  const {post, url, child, exited, log} = await startOn(t, database);
  const statusOf = async () => (await post(event, text)).status;
  t.is(await statusOf(), 202);
  t.deepEqual(await (await fetch(`${url}/healthz`)).json(), {
    status: 'ok',
    function: 'events-ingress',
  });
  const pool = database.pool('system');
  await pool.query('update orgs set suspended_at = now() where id = $1', [org]);
  await eventually(async () => assert.equal(await statusOf(), 403));
  await pool.query('update keys set revoked_at = now() where id = $1', [key]);
  await eventually(async () => assert.equal(await statusOf(), 401));
  child.kill('SIGTERM');
  t.is((await exited).code, 0);
  t.false(log().includes(text));
});

/** A way to PostgreSQL that can be cut (refused at once) or frozen (silent), and opened again. */
const openWay = async (t: ExecutionContext, databaseUrl: string) => {
  let state: 'open' | 'cut' | 'frozen' = 'open';
  const sockets = new Set<Socket>();
  const {port, hostname} = new URL(databaseUrl);
  const forward = (from: Socket, to: Socket) => {
    sockets.add(from);
    from.on('data', part => state === 'open' && to.write(part));
    from.on('error', () => {});
    from.on('close', () => {
      sockets.delete(from);
      to.destroy();
    });
  };
  const server = createServer(socket => {
    if (state === 'cut') {
      socket.destroy();
      return;
    }
    const onward = connect(Number(port), hostname);
    forward(socket, onward);
    forward(onward, socket);
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const destroyAll = () => {
    for (const socket of sockets) {
      socket.destroy();
    }
  };
  t.teardown(() => {
    server.close();
    destroyAll();
  });
  const url = new URL(databaseUrl);
  url.port = String((server.address() as AddressInfo).port);
  const turn = (to: typeof state) => () => {
    state = to;
    if (to !== 'frozen') {
      destroyAll();
    }
  };
  return {url: url.href, cut: turn('cut'), freeze: turn('frozen'), open: turn('open')};
};

for (const how of ['cut', 'freeze'] as const) {
  test(`with PostgreSQL away (${how}) nothing hangs and nothing is accepted; back again it goes on`, async t => {
    const database = await createTestDatabase(t);
    const {text} = await makeKey(database);
    const keys = await openWay(t, database.url('gateway'));
    const rows = await openWay(t, database.url('tenant'));
    const {post} = await start(t, {DATABASE_URL: keys.url, TENANT_DATABASE_URL: rows.url});
    // A busy machine may take its time for the first connections.
    await eventually(async () => assert.equal((await post(event, text)).status, 202));
    rows[how]();
    keys[how]();
    const answers = await Promise.all(['a', 'b', 'c'].map(id => post({...event, id}, text)));
    for (const response of answers) {
      t.is(response.status, 503);
      t.true(Number(response.headers.get('retry-after')) > 0);
      t.is(response.headers.get('content-type'), 'application/problem+json');
    }
    // A key that is not known yet cannot be read.
    t.is((await post(event, makeApiKey().text)).status, 503);
    rows.open();
    keys.open();
    await eventually(
      async () => assert.equal((await post({...event, id: 'd'}, text)).status, 202),
      {timeoutMs: 60_000},
    );
    t.deepEqual(
      (await rowsOf(database)).map(({id}) => id),
      ['1', 'd'],
    );
  });
}

test('a superuser is refused, and a wrong configuration is told at once', async t => {
  const database = await createTestDatabase(t);
  const superuser = startProcess(t, {
    DATABASE_URL: database.url('gateway'),
    TENANT_DATABASE_URL: database.url('superuser'),
  });
  const {code, log} = await superuser.exited;
  t.is(code, 1);
  t.regex(log, /no row-level policy binds/);
  const wrong = await startProcess(t, {EVENTS_PER_SECOND: '0', PORT: 'x', STAMP_KEY: 'short'})
    .exited;
  t.is(wrong.code, 2);
  const names = ['PORT', 'DATABASE_URL', 'TENANT_DATABASE_URL', 'EVENTS_PER_SECOND', 'STAMP_KEY'];
  for (const name of names) {
    t.regex(wrong.log, new RegExp(`^  ${name}: expected`, 'm'));
  }
  t.false(wrong.log.includes('short\n'));
});
