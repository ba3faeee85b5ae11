import assert from 'node:assert/strict';
import {fork} from 'node:child_process';
import {once} from 'node:events';
import {readFileSync} from 'node:fs';
import {fileURLToPath} from 'node:url';
import {Ajv2020} from 'ajv/dist/2020.js';
import addFormats from 'ajv-formats';
import test, {type ExecutionContext} from 'ava';
import {hashSecret, makeApiKey} from '../../events/api-key.ts';
import {uuidv7} from '../../events/uuid.ts';
import {compileOpenTypes} from '../../functions/events-ingress/open-types.ts';
import {createTestDatabase} from '../helpers/database.ts';
import {eventually} from '../helpers/eventually.ts';

const main = fileURLToPath(new URL('../../functions/auth/main.ts', import.meta.url));
const sourceToken = 'the-token-of-the-sources-of-this-test';
const schemaOf = (name: string) =>
  JSON.parse(
    readFileSync(
      new URL(`../../schemas/events/auth.check.${name}.v1.json`, import.meta.url),
      'utf8',
    ),
  );

const validate = () => {
  const ajv = new Ajv2020({strict: false});
  addFormats.default(ajv);
  return ajv.compile(schemaOf('completed'));
};

const start = async (t: ExecutionContext, more: Record<string, string> = {}) => {
  const database = await createTestDatabase(t);
  const child = fork(main, {
    env: {PORT: '0', ENVIRONMENT: 'prod', DATABASE_URL: database.url('gateway'), ...more},
    silent: true,
  });
  t.teardown(() => child.kill('SIGKILL'));
  let said = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream?.setEncoding('utf8').on('data', text => {
      said += text;
    });
  }
  const [message] = (await Promise.race([
    once(child, 'message'),
    once(child, 'close').then(() => Promise.reject(new Error(said))),
  ])) as [{listening: number}];
  const url = `http://127.0.0.1:${message.listening}`;
  const pool = database.pool('system');
  const [org, project] = [uuidv7(), uuidv7()];
  await pool.query('insert into orgs (id, name) values ($1, $1::uuid::text)', [org]);
  await pool.query(`insert into projects (id, org_id, name) values ($1, $2, 'p')`, [project, org]);
  const makeKey = async (columns: Record<string, unknown> = {}) => {
    const {text, publicId, secret} = makeApiKey();
    const id = uuidv7();
    const row = {
      ...{id, org_id: org, project_id: project, public_id: publicId, name: 'k'},
      ...{secret_hash: hashSecret(secret), ...columns},
    };
    const names = Object.keys(row);
    await pool.query(
      `insert into keys (${names.join(', ')}) values (${names.map((_, at) => `$${at + 1}`).join(', ')})`,
      Object.values(row),
    );
    return {id, text, secret};
  };
  const ask = async (
    data: unknown,
    {
      token = sourceToken,
      type = 'dev.sluice.auth.check.requested.v1',
    }: {token?: string | null; type?: string} = {},
  ) => {
    const response = await fetch(url, {
      method: 'POST',
      headers: {
        ...(token === null ? {} : {authorization: `Bearer ${token}`}),
        'content-type': 'application/json',
        ...{'ce-specversion': '1.0', 'ce-id': '7', 'ce-source': '/producers/one', 'ce-type': type},
      },
      body: typeof data === 'string' ? data : JSON.stringify(data),
    });
    const text = await response.text();
    return {
      response,
      status: response.status,
      text,
      data: response.ok ? JSON.parse(text) : undefined,
    };
  };
  return {url, org, project, pool, makeKey, ask, said: () => said};
};

test('a producer of events learns whether a key may pass, and the key is in no reply and no log', async t => {
  const {org, project, pool, makeKey, ask, said} = await start(t, {SOURCE_TOKEN: sourceToken});
  const fits = validate();
  const good = await makeKey();
  const narrow = await makeKey({scopes: ['events'], models: ['small']});
  const first = await ask({key: good.text});
  t.is(first.status, 200);
  t.is(first.response.headers.get('ce-type'), 'dev.sluice.auth.check.completed.v1');
  t.deepEqual(first.data, {
    ...{allowed: true, org, project, key: good.id},
    scopes: ['inference', 'models', 'events'],
  });
  const again = await ask({key: good.text});
  t.is(
    again.response.headers.get('ce-id'),
    first.response.headers.get('ce-id'),
    'a redelivery has the same reply under the same id',
  );

  const cases: [unknown, object][] = [
    [
      {key: narrow.text, scope: 'events', model: 'small'},
      {allowed: true, scopes: ['events']},
    ],
    [
      {key: narrow.text, scope: 'inference'},
      {allowed: false, reason: 'scope'},
    ],
    [
      {key: narrow.text, model: 'large'},
      {allowed: false, reason: 'model'},
    ],
    [{key: makeApiKey().text}, {allowed: false, reason: 'unauthorized'}],
    [{key: `${good.text.slice(0, -3)}AAA`}, {allowed: false, reason: 'unauthorized'}],
    [
      {key: (await makeKey({revoked_at: new Date()})).text},
      {allowed: false, reason: 'unauthorized'},
    ],
    [
      {key: (await makeKey({expires_at: new Date(0)})).text},
      {allowed: false, reason: 'unauthorized'},
    ],
    [
      {key: (await makeKey({environments: ['staging']})).text},
      {allowed: false, reason: 'environment'},
    ],
    [{key: 'hunter2'}, {allowed: false, reason: 'unauthorized'}],
    [
      {key: good.text, scope: 'everything'},
      {allowed: false, reason: 'malformed'},
    ],
    [
      {key: good.text, model: 7},
      {allowed: false, reason: 'malformed'},
    ],
    [{key: 7}, {allowed: false, reason: 'malformed'}],
    [{}, {allowed: false, reason: 'malformed'}],
    [[], {allowed: false, reason: 'malformed'}],
    ['null', {allowed: false, reason: 'malformed'}],
  ];
  const replies: string[] = [first.text];
  for (const [data, expected] of cases) {
    const {status, text, data: reply} = await ask(data);
    t.is(status, 200, 'what is wrong is a reply, because a failed delivery is kept');
    t.like(reply, expected, JSON.stringify(expected));
    t.true(fits(reply), JSON.stringify(fits.errors));
    replies.push(text);
  }
  await pool.query('update orgs set suspended_at = now()');
  await eventually(
    async () => assert.equal((await ask({key: good.text})).data.reason, 'suspended'),
    {timeoutMs: 10_000},
  );

  const refusals = [
    await ask({key: good.text}, {token: null}),
    await ask({key: good.text}, {token: 'another'}),
    await ask({key: good.text}, {type: 'dev.sluice.auth.check.wanted.v1'}),
    await ask(`{"key":"${good.text}"`),
  ];
  t.deepEqual(
    refusals.map(({status}) => status),
    [401, 401, 422, 400],
  );
  const everything = [...replies, ...refusals.map(({text}) => text)].join('\n');
  for (const {secret} of [good, narrow]) {
    t.false(everything.includes(secret), 'in an answer');
  }
  await eventually(() => assert.match(said(), /"status":400/));
  t.false(said().includes(narrow.secret), 'in the log');
  t.false(said().includes(good.text.slice(0, -3)), 'in the log');
});

test('without a token of sources no event is taken', async t => {
  const {ask, makeKey} = await start(t);
  t.is((await ask({key: (await makeKey()).text})).status, 404);
});

test('producers outside can neither send the check nor its reply through the ingress', t => {
  t.is(compileOpenTypes([schemaOf('requested'), schemaOf('completed')]).size, 0);
});

test('/verify takes a key from another header where the deployment says so, and not elsewhere', async t => {
  const open = await start(t, {API_KEY_HEADER: 'X-API-Key'});
  const key = await open.makeKey();
  const verify = (url: string, headers: Record<string, string>) =>
    fetch(`${url}/verify`, {headers}).then(({status}) => status);
  t.is(await verify(open.url, {'x-api-key': key.text}), 200);
  t.is(await verify(open.url, {'x-api-key': makeApiKey().text}), 401);
  t.is(
    await verify(open.url, {authorization: `Bearer ${makeApiKey().text}`, 'x-api-key': key.text}),
    401,
    'the Authorization header goes before it',
  );
  const closed = await start(t);
  t.is(await verify(closed.url, {'x-api-key': (await closed.makeKey()).text}), 401);
});

test('/verify refuses a key that may not do what is asked, and a wish that it does not know', async t => {
  const {url, makeKey} = await start(t);
  const {text} = await makeKey({scopes: ['events'], models: ['small']});
  const verify = async (path: string, headers: Record<string, string> = {}) =>
    (await fetch(url + path, {headers: {authorization: `Bearer ${text}`, ...headers}})).status;
  t.is(await verify('/verify'), 200);
  t.is(await verify('/verify?scope=events&model=small'), 200);
  t.is(await verify('/verify?scope=inference'), 403);
  t.is(await verify('/VERIFY?scope=inference'), 403);
  t.is(
    await verify('/verify/?scope=events', {'x-sluice-want-scope': 'inference'}),
    403,
    'the query of a client who asks for /',
  );
  t.is(await verify('/verify/?scope=anything', {'x-sluice-want-scope': 'events'}), 200);
  t.is(await verify('/verify?model=large'), 403);
  t.is(await verify('/verify?scope=all'), 400);
  t.is(await verify('/verify?scope=events&scope=inference'), 400, 'two wishes');
  t.is(await verify('/verify/v1/models?scope=inference'), 200, 'the client’s own query');
  t.is(await verify('/verify/v1/models', {'x-sluice-want-scope': 'inference'}), 403);
  t.is(await verify('/verify/v1/models', {'x-sluice-want-model': 'large'}), 403);
  t.is(await verify('/verifyother'), 404);
});

test('settings of a login that do not go together are told at the start', async t => {
  const run = async (more: Record<string, string>) => {
    const child = fork(main, {
      env: {PORT: '0', DATABASE_URL: 'postgres://sluice_gateway@127.0.0.1:1/none', ...more},
      silent: true,
    });
    t.teardown(() => child.kill('SIGKILL'));
    let complaint = '';
    child.stderr?.setEncoding('utf8').on('data', text => {
      complaint += text;
    });
    const [code] = await once(child, 'close');
    return {code, complaint};
  };
  const good = {
    PUBLIC_URL: 'https://sluice.example.org',
    LOGIN_DATABASE_URL: 'postgres://sluice_tenant@127.0.0.1:1/none',
    SESSION_SECRET: 's'.repeat(32),
  };
  const wrong: [Record<string, string>, RegExp][] = [
    [{...good, PUBLIC_URL: 'http://sluice.example.org'}, /PUBLIC_URL: expected an origin/],
    [{...good, PUBLIC_URL: 'https://sluice.example.org/console'}, /PUBLIC_URL: expected an origin/],
    [{...good, PUBLIC_URL: 'http://localhost.evil.example'}, /PUBLIC_URL: expected an origin/],
    [{...good, SESSION_SECRET: 's'.repeat(31)}, /SESSION_SECRET: expected a secret of at least 32/],
    [
      {PUBLIC_URL: good.PUBLIC_URL},
      /LOGIN_DATABASE_URL: expected it to be set[\s\S]*SESSION_SECRET/,
    ],
    [{...good, OIDC_ISSUER: 'https://id.example.org'}, /OIDC_ISSUER and OIDC_CLIENT_ID/],
    [{...good, OIDC_SCOPES: 'email'}, /OIDC_SCOPES: expected scopes with openid/],
    [{...good, SESSION_HOURS: '1000'}, /SESSION_HOURS: expected a whole number from 1 to 168/],
    [{...good, SESSION_IDLE_MINUTES: '0'}, /SESSION_IDLE_MINUTES: expected a whole number/],
  ];
  for (const [more, expected] of wrong) {
    const {code, complaint} = await run(more);
    t.is(code, 2, complaint);
    t.regex(complaint, expected);
    t.notRegex(complaint, /sssss/);
  }
});
