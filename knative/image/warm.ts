/**
Warm: runs every program once and keeps the code that V8 made of it, functions that ran included, which a start then reads instead of
compiling. What a program compiles depends a little on when its timers call: it is run until the same bytes came twice.

In: the folder that will be `/app`. Out: `cache/` in it, a file for each bundle, readable for everybody. A program that cannot start for want
of its stores has compiled what it is made of before.
*/
import {spawn} from 'node:child_process';
import {createHash} from 'node:crypto';
import {once} from 'node:events';
import {cpSync, mkdirSync, readdirSync, readFileSync, rmSync} from 'node:fs';
import {join} from 'node:path';
import {setTimeout as wait} from 'node:timers/promises';
import {fileURLToPath} from 'node:url';
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

const runsMax = 6;

/** What any of them asks for. */
const environmentOf = (url: string) => ({
  NODE_ENV: 'production',
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

type Asked = Readonly<{
  path: string;
  method?: string;
  headers?: Readonly<Record<string, string>>;
  body?: string;
}>;

const bearer = {authorization: `Bearer ${secret}`};
const json = {...bearer, 'content-type': 'application/json'};
const key = {authorization: `Bearer sk-${'a'.repeat(16)}-${'a'.repeat(43)}`};

const eventOf = (type: string, data: unknown, more = {}): Asked => ({
  path: '/',
  method: 'POST',
  headers: {
    ...json,
    'ce-specversion': '1.0',
    'ce-id': '1',
    'ce-source': '/warm-up',
    'ce-type': type,
    ...more,
  },
  body: JSON.stringify(data),
});

/** The first example of every type of event; what a function has no use for it refuses. */
const eventsOf = (app: string): readonly Asked[] =>
  readdirSync(join(app, 'schemas/events'))
    .sort()
    .map(file => {
      const {examples} = JSON.parse(readFileSync(join(app, 'schemas/events', file), 'utf8'));
      return eventOf(`dev.sluice.${file.replace(/\.json$/, '')}`, examples?.[0] ?? {});
    });

/** What the functions are there for, all of it asked of each. */
const requestsOf = (app: string): readonly Asked[] => [
  {path: '/healthz'},
  {path: '/metrics'},
  ...eventsOf(app),
  eventOf(
    'dev.sluice.hello.requested.v1',
    {name: ''},
    {'ce-knativeerrordest': 'http://hello.sluice', 'ce-knativeerrorcode': '422'},
  ),
  {
    path: '/',
    method: 'POST',
    headers: {...bearer, 'content-type': 'application/cloudevents-batch+json'},
    body: '[]',
  },
  {path: '/admin/v1/orgs', method: 'POST', headers: json, body: '{"name":"warm-up"}'},
  {path: '/verify', headers: key},
  {
    path: '/events',
    method: 'POST',
    headers: {...key, 'content-type': 'application/cloudevents+json'},
    body: JSON.stringify({specversion: '1.0', id: '1', source: 'shop', type: 'com.example.sold'}),
  },
  {
    path: '/v1/chat/completions',
    method: 'POST',
    headers: {...json, ...key},
    body: JSON.stringify({model: 'a', messages: [{role: 'user', content: 'Hi'}]}),
  },
];

/** Whatever it answers: it is what is compiled on the way that counts. */
const ask = async (port: number, requests: readonly Asked[]) => {
  for (const {path, ...options} of requests) {
    await fetch(`http://127.0.0.1:${port}${path}`, options).then(
      response => response.text(),
      () => '',
    );
  }
};

const run = async (
  program: readonly string[],
  environment: Readonly<Record<string, string>>,
  requests: readonly Asked[],
) => {
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
      await ask(Number(port), requests);
      // What is called by timers, a log's last line for one, is called by then or never: or the code would be another each time.
      await wait(500);
      child.kill('SIGUSR2');
    }
  });
  await exited;
  clearTimeout(hard);
};

const digestOf = (folder: string) => {
  const digest = createHash('sha256');
  for (const file of readdirSync(folder).sort()) {
    digest.update(`${file}\0`).update(readFileSync(join(folder, file)));
  }
  return digest.digest('hex');
};

/** After so many runs the last one's code is taken, which is as good as any. */
const runUntilSame = async (
  cache: string,
  go: (environment: Readonly<Record<string, string>>) => Promise<void>,
) => {
  const seen = new Set<string>();
  for (let runs = 1; runs <= runsMax; runs += 1) {
    const made = `${cache}-made`;
    mkdirSync(made);
    await go({WARM_UP_CACHE: made});
    const digest = digestOf(made);
    const isSettled = seen.has(digest) || runs === runsMax;
    seen.add(digest);
    if (isSettled) {
      cpSync(made, cache, {recursive: true});
    }
    rmSync(made, {recursive: true});
    if (isSettled) {
      return;
    }
  }
};

export const warm = async ({app, programs}: {app: string; programs: readonly string[]}) => {
  const standIn = await startStandIn();
  try {
    await inOnePlace(async place => {
      const there = join(place, 'app');
      cpSync(app, there, {recursive: true});
      const cache = join(there, 'cache');
      const environment = environmentOf(standIn.url);
      const requests = requestsOf(app);
      for (const name of programs) {
        const program = [join(there, 'bundle/main.cjs'), name];
        await runUntilSame(cache, more => run(program, {...environment, ...more}, requests));
      }
      cpSync(cache, join(app, 'cache'), {recursive: true});
    });
  } finally {
    await standIn.close();
  }
};
