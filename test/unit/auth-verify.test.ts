import test, {type ExecutionContext} from 'ava';
import {pino} from 'pino';
import {SluiceError} from '../../events/errors.ts';
import {createApp} from '../../events/serve.ts';
import type {Principal} from '../../functions/auth/principal.ts';
import type {Principals, Verdict} from '../../functions/auth/principals.ts';
import {verifyRoutes} from '../../functions/auth/verify.ts';
import {createHttpTestServer} from '../helpers/http.ts';

const principal = {org: 'the-org', project: 'the-project', key: 'the-key'} as Principal;

const ask = async (
  t: ExecutionContext,
  verify: (key: string | undefined) => Verdict | Promise<Verdict>,
  {isStale = false, method = 'GET'} = {},
) => {
  const {url} = await createHttpTestServer(
    t,
    createApp({
      name: 'auth',
      logger: pino({enabled: false}),
      routes: verifyRoutes({principals: {verify} as Principals, isStale: () => isStale}),
    }),
  );
  return fetch(`${url}/verify`, {method, headers: {authorization: 'Bearer the-token'}});
};

for (const method of ['GET', 'POST', 'HEAD']) {
  test(`a valid key is 200 with who it is, for ${method}`, async t => {
    const seen: unknown[] = [];
    const response = await ask(
      t,
      key => {
        seen.push(key);
        return {principal};
      },
      {method},
    );
    t.is(response.status, 200);
    t.is(await response.text(), '');
    t.is(response.headers.get('x-sluice-org'), 'the-org');
    t.is(response.headers.get('x-sluice-project'), 'the-project');
    t.is(response.headers.get('x-sluice-key'), 'the-key');
    t.deepEqual(seen, ['the-token']);
  });
}

for (const [denied, status] of [
  ['unknown', 401],
  ['revoked', 401],
  ['expired', 401],
  ['suspended', 403],
  ['environment', 403],
] as const) {
  test(`a key that is refused as ${denied} is ${status}, without who it is`, async t => {
    const response = await ask(t, () => ({denied}));
    t.is(response.status, status);
    t.is(response.headers.get('x-sluice-org'), null);
  });
}

test('while revocations cannot be read nobody passes: 503', async t => {
  const response = await ask(t, () => ({principal}), {isStale: true});
  t.is(response.status, 503);
  t.is(response.headers.get('retry-after'), '1');
  t.is(response.headers.get('x-sluice-org'), null);
});

test('a key that cannot be read is 503', async t => {
  const response = await ask(t, () => Promise.reject(new SluiceError('unavailable', 'away')));
  t.is(response.status, 503);
});
