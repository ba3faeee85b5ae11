/**
Warm: runs every program once, so that Node's compile cache has what a start compiles. V8 then reads it instead of parsing: functions
that ran included. The same programs make the same bytes.

In: the folder that will be `/app`. Out: `cache/` in it, readable for everybody, named as the image's user will look for it. A program that
cannot start for want of its stores has compiled what it is made of before.
*/
import {spawn} from 'node:child_process';
import {once} from 'node:events';
import {chmodSync, cpSync, readdirSync} from 'node:fs';
import {join} from 'node:path';
import {setTimeout as wait} from 'node:timers/promises';
import {fileURLToPath} from 'node:url';
import {user} from './base.ts';
import {inOnePlace} from './place.ts';
import {startStandIn} from './stand-in.ts';

const patienceMs = 30_000;
const secret = 'a-secret-for-the-warm-up-only';

const nodeArguments = [
  '--hash-seed=1',
  '--random-seed=1',
  '--require',
  fileURLToPath(new URL('warm-up.cjs', import.meta.url)),
];

/** What any of them asks for. */
const environmentOf = ({app, url}: {app: string; url: string}) => ({
  NODE_ENV: 'production',
  WARM_UP_CACHE: join(app, 'cache'),
  PORT: '0',
  LOG_LEVEL: 'info',
  DATABASE_URL: url,
  TENANT_DATABASE_URL: url,
  ENVIRONMENT: 'development',
  ADMIN_KEY: secret,
  SOURCE_TOKEN: secret,
  SOURCE_KIND: 'outbox',
  K_SINK: 'http://127.0.0.1:9',
  WAIT_SECONDS: '1',
});

const event = {
  method: 'POST',
  headers: {
    'content-type': 'application/cloudevents-batch+json',
    authorization: `Bearer ${secret}`,
  },
  body: '[]',
};

/** Whatever it answers: it is what is compiled on the way that counts. */
const ask = async (port: number) => {
  for (const [path, options] of [
    ['/healthz', {}],
    ['/metrics', {}],
    ['/', event],
  ] as const) {
    await fetch(`http://127.0.0.1:${port}${path}`, options).then(
      response => response.text(),
      () => '',
    );
  }
};

const run = async (program: readonly string[], environment: Readonly<Record<string, string>>) => {
  const child = spawn(process.execPath, [...nodeArguments, ...program], {
    env: environment,
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  const exited = once(child, 'exit');
  const hard = setTimeout(() => child.kill('SIGKILL'), patienceMs);
  let log = '';
  let told = false;
  child.stderr.setEncoding('utf8').on('data', async (text: string) => {
    log += text;
    const port = /"port":(\d+),"msg":"listening"/.exec(log)?.[1];
    if (port !== undefined && !told) {
      told = true;
      await ask(Number(port));
      // The last line of a log is written a moment after the answer.
      await wait(50);
      child.kill('SIGTERM');
    }
  });
  await exited;
  clearTimeout(hard);
};

export const warm = async ({app, programs}: {app: string; programs: readonly string[]}) => {
  const standIn = await startStandIn();
  try {
    await inOnePlace(async place => {
      const there = join(place, 'app');
      cpSync(app, there, {recursive: true});
      const environment = environmentOf({app: there, url: standIn.url});
      for (const name of programs) {
        await run([join(there, 'bundle/main.cjs'), name], environment);
      }
      // Its name ends with the number of the user who runs Node: another would not find it.
      const [found = ''] = readdirSync(join(there, 'cache'));
      const named = join(app, 'cache', found.replace(/-\d+$/, `-${user}`));
      cpSync(join(there, 'cache', found), named, {recursive: true});
      for (const file of readdirSync(named)) {
        chmodSync(join(named, file), 0o644);
      }
    });
  } finally {
    await standIn.close();
  }
};
