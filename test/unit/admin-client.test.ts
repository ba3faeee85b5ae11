import type {IncomingMessage, RequestListener, ServerResponse} from 'node:http';
import test, {type ExecutionContext} from 'ava';
import {
  ApiError,
  type ClientOptions,
  createClient,
  type NewOrg,
  type Notice,
  type Org,
  UnreachableError,
} from 'sluice/client';
import {toCall} from '../../functions/admin/client/client.ts';
import {createHttpTestServer, nowhere} from '../helpers/http.ts';

const id = '0192f0c1-7a00-7000-8000-00000000000a';
const token = 'the-admin-key-of-this-test';
const json = (response: ServerResponse, status: number, body: unknown, headers = {}) => {
  response.writeHead(status, {'content-type': 'application/json', ...headers});
  response.end(JSON.stringify(body));
};
const problem = (status: number, code: string) => ({title: code, status, code, detail: `${code}!`});

const setUp = async (
  t: ExecutionContext,
  handler: (request: IncomingMessage, response: ServerResponse, tries: number) => void,
  options: Partial<ClientOptions> = {},
) => {
  const asked: IncomingMessage[] = [];
  const waited: number[] = [];
  const listener: RequestListener = (request, response) => {
    asked.push(request);
    request.resume().on('end', () => handler(request, response, asked.length));
  };
  const {url} = await createHttpTestServer(t, listener);
  const client = createClient({
    url,
    token,
    wait: async ms => {
      waited.push(ms);
    },
    random: () => 0,
    ...options,
  });
  return {url, client, asked, waited};
};

test('an operation is a method with typed input and answer', async t => {
  const {client, asked} = await setUp(t, (_request, response) =>
    json(response, 200, {data: [{id, name: 'Acme', createdAt: '2026-11-21T10:00:00.000Z'}]}),
  );
  const {data} = await client.listOrgs({name: 'Acme', limit: 1});
  const names: string[] = data.map((org: Org) => org.name);
  t.deepEqual(names, ['Acme']);
  t.is(asked[0]?.url, '/admin/v1/orgs?name=Acme&limit=1');
  t.is(asked[0]?.headers.authorization, `Bearer ${token}`);
  const never = () => {
    // @ts-expect-error an organisation has a name
    const nameless: NewOrg = {requestsPerMinute: 1};
    // @ts-expect-error what the document does not have is no method
    client.createOrgs({body: nameless});
    // @ts-expect-error a parameter that must be there
    client.getOrg({});
    // @ts-expect-error an answer has the fields of the document only
    client.getOrg({org: id}).then(({price}) => price);
    // @ts-expect-error a stream has no status beside it
    client.full.exportUsage({org: id});
  };
  t.is(typeof never, 'function');
});

test('what a path is given cannot leave its place, and must be there', async t => {
  const {client, asked} = await setUp(t, (_request, response) => json(response, 200, {}));
  await client.getOrg({org: '../budgets?x=1'});
  t.is(asked[0]?.url, '/admin/v1/orgs/..%2Fbudgets%3Fx%3D1');
  await t.throwsAsync(client.getOrg({org: ''}), {instanceOf: TypeError, message: /expected org/});
  t.is(asked.length, 1);
});

test('a problem is an error with code, parameter, detail and request id', async t => {
  const {client} = await setUp(t, (_request, response) =>
    json(
      response,
      400,
      {...problem(400, 'bad_request'), parameter: 'name'},
      {'x-request-id': 'r1'},
    ),
  );
  const error = await t.throwsAsync(client.createOrg({body: {name: ' '}}), {instanceOf: ApiError});
  t.like(error, {
    status: 400,
    code: 'bad_request',
    parameter: 'name',
    detail: 'bad_request!',
    requestId: 'r1',
  });
});

test('a page of somebody else is an unexpected answer, whatever its status', async t => {
  for (const status of [200, 404, 500]) {
    const {client} = await setUp(t, (_request, response) => {
      response.writeHead(status, {'content-type': 'text/html'}).end('<h1>hello</h1>');
    });
    const error = await t.throwsAsync(client.listOrgs(), {instanceOf: ApiError});
    t.like(error, {status, code: 'unexpected_answer'});
  }
});

test('a redirect is not followed: the token is for one server', async t => {
  const elsewhere = await setUp(t, (_request, response) => json(response, 200, {data: []}));
  const {client} = await setUp(t, (_request, response) => {
    response.writeHead(307, {location: `${elsewhere.url}/admin/v1/orgs`}).end();
  });
  await t.throwsAsync(client.listOrgs(), {instanceOf: ApiError});
  t.is(elsewhere.asked.length, 0);
});

test('what only passes is tried again after 1, 2 and 4 s, and then given up', async t => {
  for (const status of [429, 502, 503, 504]) {
    const {client, asked, waited} = await setUp(t, (_request, response) =>
      json(response, status, problem(status, 'unavailable')),
    );
    t.like(await t.throwsAsync(client.listOrgs()), {status});
    t.is(asked.length, 4);
    t.deepEqual(waited, [1_000, 2_000, 4_000]);
  }
  const {client, asked} = await setUp(t, (_request, response, tries) =>
    tries < 3 ? json(response, 503, problem(503, 'unavailable')) : json(response, 200, {data: []}),
  );
  t.deepEqual(await client.listOrgs(), {data: []});
  t.is(asked.length, 3);
});

test('what the server asks for by Retry-After is waited for, up to a minute', async t => {
  const {client, waited} = await setUp(t, (_request, response, tries) =>
    json(response, 429, problem(429, 'too_many_requests'), {
      'retry-after': ['7', '3600', '0'][tries - 1] ?? '1',
    }),
  );
  t.like(await t.throwsAsync(client.listOrgs()), {retryAfterSeconds: 1});
  t.deepEqual(waited, [7_000, 60_000, 4_000]);
});

test('Retry-After may be an instant', async t => {
  const {client} = await setUp(
    t,
    (_request, response) =>
      json(response, 503, problem(503, 'unavailable'), {
        'retry-after': new Date(Date.now() + 3_600_000).toUTCString(),
      }),
    {retryDelaysMs: []},
  );
  const error = await t.throwsAsync(client.listOrgs(), {instanceOf: ApiError});
  const {retryAfterSeconds = 0} = error as ApiError;
  t.true(retryAfterSeconds > 3_000 && retryAfterSeconds <= 3_600, String(retryAfterSeconds));
});

test('a fault and a refusal are not tried again', async t => {
  for (const status of [400, 401, 403, 404, 409, 500]) {
    const {client, asked} = await setUp(t, (_request, response) =>
      json(response, status, problem(status, 'no')),
    );
    await t.throwsAsync(client.listOrgs(), {instanceOf: ApiError});
    t.is(asked.length, 1);
  }
});

test('a change is not made again when nobody knows whether it was made', async t => {
  const {client, asked, waited} = await setUp(t, request => request.socket.destroy());
  const error = await t.throwsAsync(client.changeOrg({org: id, body: {requestsPerMinute: 1}}), {
    instanceOf: UnreachableError,
  });
  t.false((error as UnreachableError).neverSent);
  t.is(asked.length, 1);
  t.deepEqual(waited, []);
  await t.throwsAsync(client.getOrg({org: id}), {instanceOf: UnreachableError});
  t.is(asked.length, 5);
});

test('a change that never left this machine is tried again', async t => {
  const waited: number[] = [];
  const client = createClient({
    url: nowhere,
    token,
    wait: async ms => {
      waited.push(ms);
    },
    random: () => 1,
  });
  const error = await t.throwsAsync(client.revokeKey({id}), {instanceOf: UnreachableError});
  t.true((error as UnreachableError).neverSent);
  t.deepEqual(waited, [1_250, 2_500, 5_000]);
});

const repeatable = {
  method: 'POST',
  path: '/admin/v1/orgs',
  query: [],
  headers: {idempotencyKey: 'Idempotency-Key', ifMatch: 'If-Match'},
  answer: 'json',
} as const;

test('a POST that can be repeated gets a key of its own, unless it is given one', t => {
  t.deepEqual(toCall(repeatable, {body: {name: 'a'}}, () => 'made').headers, {
    'Idempotency-Key': 'made',
  });
  t.deepEqual(toCall(repeatable, {idempotencyKey: 'mine', ifMatch: '"1"'}, () => 'made').headers, {
    'Idempotency-Key': 'mine',
    'If-Match': '"1"',
  });
});

test('a POST with an Idempotency-Key is sent again with the same one', async t => {
  const {client, asked} = await setUp(t, (_request, response, tries) =>
    tries === 1
      ? response.socket?.destroy()
      : tries === 2
        ? json(response, 409, problem(409, 'request_in_progress'))
        : json(response, 201, {id, name: 'Acme', createdAt: ''}),
  );
  t.is((await client.createOrg({body: {name: 'Acme'}})).id, id);
  const keys = asked.map(({headers}) => headers['idempotency-key']);
  t.is(new Set(keys).size, 1);
  t.is(keys.length, 3);
  t.is(typeof keys[0], 'string');
});

test('a list is read to its end, page by page, and no page more than is looked at', async t => {
  const {client, asked} = await setUp(t, (request, response) => {
    const after = new URL(request.url as string, 'http://x').searchParams.get('after');
    json(response, 200, {
      data: [{id: after ?? 'first', name: 'a', createdAt: ''}],
      ...(after === 'third' ? {} : {next: after === null ? 'second' : 'third'}),
    });
  });
  const found: string[] = [];
  for await (const org of client.each.listOrgs({limit: 1})) {
    found.push(org.id);
  }
  t.deepEqual(found, ['first', 'second', 'third']);
  for await (const _ of client.each.listOrgs()) {
    break;
  }
  t.is(asked.length, 4);
});

test('with full come status, ETag and request id', async t => {
  const {client} = await setUp(t, (_request, response) =>
    json(response, 200, {id}, {etag: '"7"', 'x-request-id': 'r1'}),
  );
  const {answer, ...about} = await client.full.getOrg({org: id});
  t.is(answer.id, id);
  t.deepEqual(about, {status: 200, etag: '"7"', requestId: 'r1'});
});

test('a token is asked for before each call', async t => {
  let count = 0;
  const {client, asked} = await setUp(t, (_request, response) => json(response, 200, {data: []}), {
    token: async () => `token-${++count}`,
  });
  await client.listOrgs();
  await client.listOrgs();
  t.deepEqual(
    asked.map(({headers}) => headers.authorization),
    ['Bearer token-1', 'Bearer token-2'],
  );
});

test('who aborts gets their own reason, also between two tries', async t => {
  const reason = new Error('enough');
  const abort = new AbortController();
  const {client, asked} = await setUp(t, () => abort.abort(reason));
  t.is(await t.throwsAsync(client.listOrgs({}, {signal: abort.signal})), reason);
  t.is(asked.length, 1);
  const later = new AbortController();
  const {client: slow} = await setUp(
    t,
    (_request, response) => {
      json(response, 503, problem(503, 'unavailable'));
      setImmediate(() => later.abort(reason));
    },
    {wait: undefined as never},
  );
  t.is(await t.throwsAsync(slow.listOrgs({}, {signal: later.signal})), reason);
});

test('a server that says nothing is given up after the timeout', async t => {
  const {client} = await setUp(t, () => {}, {retryDelaysMs: []});
  await t.throwsAsync(client.listOrgs({}, {timeoutMs: 50}), {
    instanceOf: UnreachableError,
    message: /does not answer/,
  });
});

test('a stream comes piece by piece, and one that breaks off is an error', async t => {
  const {client} = await setUp(t, (_request, response) => {
    response.writeHead(200, {'content-type': 'text/csv'});
    response.write('a,b\r\n', () => setImmediate(() => response.destroy()));
  });
  const pieces: string[] = [];
  const read = async () => {
    for await (const piece of client.exportUsage({org: id})) {
      pieces.push(piece);
    }
  };
  await t.throwsAsync(read(), {instanceOf: UnreachableError});
  t.deepEqual(pieces, ['a,b\r\n']);
});

test('notices tell what happens, and never the token', async t => {
  const notices: Notice[] = [];
  const {client} = await setUp(
    t,
    (_request, response, tries) =>
      tries === 1
        ? json(response, 503, problem(503, 'unavailable'))
        : json(response, 200, {data: []}, {'x-request-id': 'r2'}),
    {onNotice: notice => notices.push(notice)},
  );
  await client.listOrgs();
  t.deepEqual(
    notices.map(({kind}) => kind),
    ['sent', 'answered', 'retry', 'sent', 'answered'],
  );
  t.like(notices[4], {status: 200, requestId: 'r2'});
  t.notRegex(JSON.stringify(notices), new RegExp(token));
});
