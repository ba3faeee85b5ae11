import {request as httpRequest} from 'node:http';
import test, {type ExecutionContext} from 'ava';
import express, {type RequestHandler, type Router} from 'express';
import fc from 'fast-check';
import type pg from 'pg';
import {matchOperation} from '../../events/access/guard.ts';
import {operations} from '../../events/access/operations.ts';
import {uuidv7} from '../../events/uuid.ts';
import {adminRoutes} from '../../functions/admin/routes.ts';
import type {Letters} from '../../functions/deadletter/letters.ts';
import {deadLetterRoutes} from '../../functions/deadletter/routes.ts';
import type {Registry} from '../../functions/registry/registry.ts';
import {registryRoutes} from '../../functions/registry/routes.ts';
import {usageRoutes} from '../../functions/usage/routes.ts';
import type {UsageStore} from '../../functions/usage/store.ts';
import {verifyRoutes} from '../../functions/usage/verify/routes.ts';
import {createHttpTestServer} from '../helpers/http.ts';

type Verb = 'get' | 'post' | 'put' | 'patch' | 'delete' | 'head' | 'options' | 'all';
const verbs = ['get', 'post', 'put', 'patch', 'delete', 'head', 'options', 'all'] as const;
const pass: RequestHandler = (_request, _response, next) => next();

/** Every path of every function, where each route answers which one it is. */
const addRealRoutes = (router: Router) => {
  const registered: string[] = [];
  const recorder: Record<string, unknown> = {use: () => recorder};
  for (const verb of verbs) {
    recorder[verb] = (path: string) => {
      if (path.startsWith('/admin/v1')) {
        registered.push(`${verb.toUpperCase()} ${path}`);
        (router[verb as Verb] as (path: string, handler: RequestHandler) => void)(
          path,
          (_request, response) => {
            response.set('x-route', `${verb.toUpperCase()} ${path}`).end();
          },
        );
      }
      return recorder;
    };
  }
  const fake = recorder as unknown as Router;
  adminRoutes({pool: {} as pg.Pool, guard: pass})(fake);
  registryRoutes({registry: {} as Registry, guard: pass})(fake);
  deadLetterRoutes({letters: {} as Letters, receive: async () => {}, guard: pass})(fake);
  usageRoutes({store: {} as UsageStore, guard: pass})(fake);
  verifyRoutes({verify: () => Promise.reject(new Error('unused')), guard: pass})(fake);
  return registered;
};

const asTemplate = (route: string) => route.replaceAll(/:(\w+)/g, '{$1}');

const startRouter = async (t: ExecutionContext) => {
  const app = express();
  const seen: {path?: string} = {};
  app.use((request, _response, next) => {
    // As the guard reads it.
    seen.path = request.baseUrl + request.path;
    next();
  });
  const registered = addRealRoutes(app);
  const {port} = await createHttpTestServer(t, app);
  /** The path goes out as it is: `fetch` would tidy it up. */
  const ask = (method: string, path: string): Promise<{route: string | undefined; path: string}> =>
    new Promise((resolve, reject) => {
      const outgoing = httpRequest({port, host: '127.0.0.1', method, path}, response => {
        response.resume().on('end', () => {
          const route = response.headers['x-route'] as string | undefined;
          resolve({route, path: seen.path as string});
        });
      });
      outgoing.on('error', reject).end();
    });
  return {registered, ask};
};

test('every route of the functions is an operation of the document, and every operation a route', async t => {
  const {registered} = await startRouter(t);
  t.deepEqual(
    registered.map(asTemplate).toSorted(),
    operations.map(({method, path}) => `${method} ${path}`).toSorted(),
  );
});

test('a request to each operation is matched to it, with what its path names', t => {
  for (const operation of operations) {
    const ids: Record<string, string> = {};
    const path = operation.path.replaceAll(/\{(\w+)\}/g, (_, name: string) => {
      ids[name] = uuidv7();
      return ids[name] as string;
    });
    const matched = matchOperation(operation.method, path);
    t.is(matched?.operation, operation);
    t.deepEqual(matched?.path, ids);
    t.is(matchOperation(operation.method, `${path}/`)?.operation, operation);
  }
});

test('HEAD is matched to what GET is', t => {
  t.is(matchOperation('HEAD', '/admin/v1/orgs')?.operation.operation, 'listOrgs');
  t.is(matchOperation('PUT', '/admin/v1/orgs'), undefined);
});

const id = '0192f0c1-7a00-7000-8000-00000000000a';
const odd = [
  ...[
    '',
    '.',
    '..',
    '%2e%2e',
    '%2F',
    'a%2Fkeys',
    '%72edrive',
    'ORGS',
    'Keys',
    ';x',
    'a:b',
    '*',
    '%00',
    '%',
    '%E0%A4%A',
  ],
  ...['keys%20', '%C3%A9', 'redrive', 'drop', 'orgs', 'purge', id, `${id}%2Fkeys`, `${id};x`],
];
/** A path of the document, somewhat spoilt. */
const somePath = fc
  .tuple(
    fc.constantFrom(...operations.map(({path}) => path.replaceAll(/\{\w+\}/g, id))),
    fc.array(fc.tuple(fc.nat(6), fc.constantFrom(...odd), fc.boolean()), {maxLength: 2}),
    fc.constantFrom('', '', '/', '//', '?org=a', '/?a', '/.', '%2F'),
    fc.constantFrom(false, false, true),
  )
  .map(([path, changes, end, isLoud]) => {
    const parts = path.split('/').slice(1);
    for (const [place, text, isMore] of changes) {
      parts.splice(place % (parts.length + 1), isMore ? 0 : 1, text);
    }
    const spoilt = `/${parts.join('/')}${end}`;
    return isLoud ? spoilt.toUpperCase() : spoilt;
  });
const someMethod = fc.constantFrom('GET', 'POST', 'PATCH', 'DELETE', 'PUT', 'HEAD', 'OPTIONS');

test('what express routes to a handler is matched to that very operation or to none, which only the operator may call', async t => {
  const {ask} = await startRouter(t);
  let routed = 0;
  await fc.assert(
    fc.asyncProperty(someMethod, somePath, async (method, path) => {
      const {route, path: seen} = await ask(method, path);
      if (route === undefined || method === 'OPTIONS') {
        return;
      }
      routed += 1;
      const operation = matchOperation(method, seen)?.operation;
      const found = operation && `${operation.method} ${operation.path}`;
      t.true(
        found === undefined || found === asTemplate(route),
        `${method} ${path}: ${found} is not ${route}`,
      );
    }),
    {numRuns: 5_000},
  );
  t.true(routed > 500, `${routed} were routed`);
});
