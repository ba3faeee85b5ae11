/**
Admin child: the admin function as its own process, which a test can kill.

In: the test, its database. Out: a way to call it, its process.
*/
import {fork} from 'node:child_process';
import {once} from 'node:events';
import {fileURLToPath} from 'node:url';
import type {ExecutionContext} from 'ava';
import {adminKey} from './admin-server.ts';
import type {TestDatabase} from './database.ts';

const program = fileURLToPath(new URL('../../functions/admin/main.ts', import.meta.url));

export const startChildAdmin = async (t: ExecutionContext, database: TestDatabase) => {
  const child = fork(program, {
    silent: true,
    env: {
      PATH: process.env.PATH ?? '',
      PORT: '0',
      DATABASE_URL: database.url('tenant'),
      ADMIN_KEY: adminKey,
    },
  });
  t.teardown(() => child.kill('SIGKILL'));
  const [{listening}] = (await once(child, 'message')) as [{listening: number}];
  return {
    post: (path: string, body: object, headers: Record<string, string> = {}) =>
      fetch(`http://127.0.0.1:${listening}${path}`, {
        method: 'POST',
        headers: {
          authorization: `Bearer ${adminKey}`,
          'content-type': 'application/json',
          ...headers,
        },
        body: JSON.stringify(body),
      }),
    kill: () => child.kill('SIGKILL'),
  };
};
