/**
Direct: the registry without its API, for one command: its own routes in a process of our own, straight on PostgreSQL.

In: the URL of the database, as sluice_system. Out: where that process listens and with which key, and a way to end it. It ends with
us in any case. The URL has a password, so it is handed over by the environment, which others cannot read.
*/
import {fork} from 'node:child_process';
import {randomBytes} from 'node:crypto';
import {once} from 'node:events';
import {fileURLToPath} from 'node:url';
import {Failure} from '../shell/failure.ts';
import type {Settings} from '../shell/settings.ts';

const program = fileURLToPath(new URL('../../../registry/direct/main.ts', import.meta.url));
const startMs = 30_000;

export type Direct = Readonly<{settings: Settings; close(): Promise<void>}>;

export const openDirect = async (databaseUrl: string): Promise<Direct> => {
  const key = randomBytes(24).toString('base64url');
  const child = fork(program, {
    env: {
      ...process.env,
      DATABASE_URL: databaseUrl,
      ADMIN_KEY: key,
      PORT: '0',
      LOG_LEVEL: 'silent',
    },
    execArgv: [],
    stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
  });
  let said = '';
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    said += text;
  });
  const ended = once(child, 'close');
  const close = async () => {
    child.kill('SIGTERM');
    await ended;
  };
  const listening = once(child, 'message', {signal: AbortSignal.timeout(startMs)});
  const first = await Promise.race([listening, ended.then(() => undefined)]).catch(() => undefined);
  listening.catch(() => {});
  const [message] = (first ?? []) as [{listening: number}?];
  if (!message) {
    await close();
    const reason =
      said.trim().split('\n')[0]?.slice(0, 200) || `it said nothing in ${startMs / 1_000} s`;
    throw new Failure('unreachable', `--database-url: ${reason}`);
  }
  return {
    settings: {
      url: `http://127.0.0.1:${message.listening}`,
      token: key,
      from: '--database-url',
      warnings: [],
    },
    close,
  };
};
