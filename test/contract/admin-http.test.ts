import {request as httpRequest} from 'node:http';
import test from 'ava';
import {operations} from '../../events/access/operations.ts';
import {uuidv7} from '../../events/uuid.ts';
import {adminKey} from '../helpers/admin-server.ts';
import {startWholeAdmin} from '../helpers/whole-admin.ts';

const paths = [...new Set(operations.map(({path}) => path))];
const concrete = (path: string) => path.replaceAll(/\{\w+\}/g, () => uuidv7());
const methodsOf = (path: string) =>
  operations.filter(one => one.path === path).map(({method}) => method);

/** fetch sends no TRACE. */
const ask = (url: string, method: string) =>
  new Promise<{status: number; allow: string; type: string; body: string}>((resolve, reject) => {
    httpRequest(url, {method, headers: {authorization: `Bearer ${adminKey}`}}, response => {
      let body = '';
      response.setEncoding('utf8').on('data', part => {
        body += part;
      });
      response.on('end', () =>
        resolve({
          status: response.statusCode as number,
          allow: String(response.headers.allow),
          type: String(response.headers['content-type']),
          body,
        }),
      );
    })
      .on('error', reject)
      .end();
  });

test('a method that a path does not take is 405 and says which it takes', async t => {
  const {url} = await startWholeAdmin(t);
  for (const path of paths) {
    const own = methodsOf(path);
    const allowed = [...own, ...(own.includes('GET') ? ['HEAD'] : []), 'OPTIONS'];
    for (const method of ['GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'TRACE']) {
      if (!own.includes(method)) {
        const answer = await ask(url + concrete(path), method);
        t.is(answer.status, 405, `${method} ${path}: ${answer.body}`);
        t.is(answer.allow, allowed.join(', '), `${method} ${path}`);
        t.regex(answer.type, /^application\/problem\+json/);
      }
    }
    const options = await ask(url + concrete(path), 'OPTIONS');
    t.deepEqual([options.status, options.allow, options.body], [204, allowed.join(', '), ''], path);
  }
});

test('a HEAD is a GET without its body', async t => {
  const admin = await startWholeAdmin(t);
  const {org} = await admin.createTenant('acme');
  for (const path of [`/admin/v1/orgs/${org}`, '/admin/v1/orgs', '/admin/v1/openapi.json']) {
    const get = await admin.send('GET', path);
    const head = await admin.send('HEAD', path);
    t.is(head.status, 200);
    t.is(head.text, '');
    for (const name of ['etag', 'content-type', 'content-length']) {
      t.is(head.headers.get(name), get.headers.get(name), `${name} of ${path}`);
    }
  }
});

test('a path that there is not is 404, and who is not known learns of none', async t => {
  const admin = await startWholeAdmin(t);
  for (const path of [
    '/admin/v1',
    '/admin/v1/nothing',
    '/admin/v1/usage/nothing',
    '/admin/v1/models/a/b',
  ]) {
    const answer = await admin.send('GET', path);
    t.is(answer.status, 404, path);
    t.regex(String(answer.contentType), /^application\/problem\+json/);
    t.is((await admin.send('GET', path, undefined, {token: null})).status, 401, path);
  }
  for (const path of paths) {
    const answer = await admin.send('GET', concrete(path), undefined, {token: null});
    t.is(answer.status, 401, path);
  }
});

test('a body that is not JSON by its type is 415; one without a type is taken for it', async t => {
  const admin = await startWholeAdmin(t);
  for (const type of ['text/plain', 'application/x-www-form-urlencoded', 'application/jsonx']) {
    const headers = {'content-type': type};
    const answer = await admin.call('POST', '/admin/v1/orgs', {name: 'a'}, {headers});
    t.like(answer, {status: 415, body: {parameter: 'Content-Type'}}, type);
  }
  const headers = {'content-type': 'Application/JSON; charset=utf-8'};
  t.is((await admin.call('POST', '/admin/v1/orgs', {name: 'a'}, {headers})).status, 201);
  const untyped = await fetch(`${admin.url}/admin/v1/orgs`, {
    method: 'POST',
    headers: {authorization: `Bearer ${adminKey}`},
    body: Buffer.from(JSON.stringify({name: 'b'})),
  });
  t.is(untyped.status, 201);
});

test('the document is shown to whoever is known, and has no secret', async t => {
  const admin = await startWholeAdmin(t);
  const {org} = await admin.createTenant('acme');
  const token = await admin.createServiceKey(org, 'viewer');
  const {status, text, body} = await admin.call('GET', '/admin/v1/openapi.json', undefined, {
    token,
  });
  t.is(status, 200);
  t.is(body.openapi, '3.1.0');
  t.false(text.includes(adminKey));
});
