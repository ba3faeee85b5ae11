/**
Deadletter server: the deadletter function for one test, on a database of its own or a given one.

In: the test. Out: ways to post events to it and to call its API; every answer of the API is held to the contract.
*/

import type {ExecutionContext} from 'ava';
import {createGuard} from '../../events/access/guard.ts';
import {createPool} from '../../events/database.ts';
import {createMetrics} from '../../events/metrics.ts';
import {serve} from '../../events/serve.ts';
import {createLogger} from '../../events/telemetry.ts';
import {createLetters} from '../../functions/deadletter/letters.ts';
import {observeLetters} from '../../functions/deadletter/observe.ts';
import {receiveLetter} from '../../functions/deadletter/receive.ts';
import {deadLetterRoutes} from '../../functions/deadletter/routes.ts';
import {adminKey} from './admin-server.ts';
import {createTestDatabase, type TestDatabase} from './database.ts';
import {createOpenApi} from './openapi.ts';

export type LetterView = {[name: string]: unknown} & {id: string; state: string};

export const startDeadletter = async (t: ExecutionContext, given?: TestDatabase) => {
  const database = given ?? (await createTestDatabase(t));
  const pool = createPool({
    databaseUrl: database.url('system'),
    name: 'deadletter',
    connectTimeoutMs: 60_000,
  });
  const metrics = createMetrics();
  const letters = createLetters({pool});
  const observe = observeLetters({
    metrics,
    countWaiting: letters.countWaiting,
    onError: error => t.log(error),
  });
  const server = await serve({
    name: 'deadletter',
    host: '127.0.0.1',
    logger: createLogger({name: 'deadletter', level: 'silent'}),
    metrics,
    routes: deadLetterRoutes({
      letters,
      receive: receiveLetter({client: pool, onStored: observe.onStored}),
      guard: createGuard({adminKey}),
      onChanged: observe.onChanged,
    }),
    async onClose() {
      await observe.close();
      await pool.end();
    },
  });
  t.teardown(server.close);
  const contract = createOpenApi();

  const call = async (method: string, path: string, body?: unknown, key = adminKey) => {
    const response = await fetch(`${server.url}/admin/v1/dead-letters${path}`, {
      method,
      headers: {authorization: `Bearer ${key}`, 'content-type': 'application/json'},
      ...(body === undefined ? {} : {body: JSON.stringify(body)}),
    });
    const text = await response.text();
    const answer = {
      status: response.status,
      contentType: response.headers.get('content-type'),
      text,
      // biome-ignore lint/suspicious/noExplicitAny: a test reads what it expects
      body: JSON.parse(text) as any,
    };
    contract.check({method, path: `/admin/v1/dead-letters${path}`, ...answer});
    return answer;
  };
  /** As a broker posts to its dead letter sink. */
  const post = async (
    headers: Record<string, string>,
    body: string | Buffer = '',
    query = '?trigger=one',
  ) => {
    const response = await fetch(`${server.url}/${query}`, {method: 'POST', headers, body});
    return {status: response.status, text: await response.text()};
  };
  const waiting = async (): Promise<LetterView[]> =>
    (await call('GET', '?state=waiting')).body.data;
  return {database, pool, letters, server, call, post, waiting};
};
