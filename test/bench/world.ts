/**
World: everything that the rows measure, started once: PostgreSQL, three model servers, the gateway, the bare proxies.

In: where to keep its data, where to write profiles. Out: the targets by model, the ids of the processes, and its end. The
gateway is started as it ships, with a database of its own; only the relay is missing, so a consumer deletes what is in
the outbox now and then: its work is PostgreSQL's, never the gateway's.
*/
import {randomBytes} from 'node:crypto';
import {closeSync, openSync} from 'node:fs';
import {chmod, mkdtemp, readFile, rm} from 'node:fs/promises';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import pg from 'pg';
import {startPostgres} from '../../knative/local/postgres/postgres.ts';
import {migrate} from '../../schemas/sql/migrate.ts';
import {type Child, startChild} from './child.ts';
import {startNginx} from './nginx.ts';
import {seed} from './seed.ts';

/** How the model servers behave, by the name of their model. */
export const models = {
  distant: {FIRST_TOKEN_DELAY_MS: '100'},
  instant: {},
  paced: {TOKEN_DELAY_MS: '20', DEFAULT_TOKENS: '128'},
} as const satisfies Record<string, Record<string, string>>;

export type ModelName = keyof typeof models;
export type TargetName = 'direct' | 'bare' | 'nginx' | 'gateway';
export type Target = Readonly<{url: string; pid: number}>;
export type World = Readonly<{
  /** Undefined: not there; only nginx can be. */
  target(name: TargetName, model: ModelName): Target | undefined;
  apiKey: string;
  postgresPid: number;
  load: Child;
  stop(): Promise<void>;
}>;

const password = () => randomBytes(18).toString('hex');
const consumeMs = 500;

/** As a deployment does it: the owner makes schema and roles without being a superuser. */
export const prepareDatabase = async (superuserUrl: string) => {
  const client = new pg.Client({connectionString: superuserUrl});
  await client.connect();
  const url = (user: string, secret: string) => {
    const address = new URL(superuserUrl);
    address.username = user;
    address.password = secret;
    address.pathname = '/bench';
    return address.href;
  };
  const [owner, gateway] = [password(), password()];
  await client.query(`create role sluice_owner login createrole password '${owner}'`);
  await client.query('create database bench owner sluice_owner');
  await migrate({databaseUrl: url('sluice_owner', owner)});
  await client.query(`alter role sluice_gateway login password '${gateway}'`);
  await client.end();
  const superuser = new URL(superuserUrl);
  return {
    gatewayUrl: url('sluice_gateway', gateway),
    superuserUrl: url(superuser.username, superuser.password),
  };
};

const startConsumer = async (databaseUrl: string) => {
  const client = new pg.Client({connectionString: databaseUrl});
  await client.connect();
  let timer: NodeJS.Timeout;
  let running = Promise.resolve();
  const consume = () => {
    running = client
      // By a bound and not by a list: statistics of a moment when the table was empty make a list quadratic.
      .query(
        'delete from outbox where id <= (select max(id) from (select id from outbox order by id limit 5000) oldest)',
      )
      .then(() => {
        timer = setTimeout(consume, consumeMs);
      });
  };
  consume();
  return {
    client,
    async stop() {
      await running;
      clearTimeout(timer);
      await client.end();
    },
  };
};

export const startWorld = async ({profileFolder}: {profileFolder?: string}): Promise<World> => {
  const folder = await mkdtemp(join(tmpdir(), 'sluice-bench-'));
  // PostgreSQL may run as another user than we do.
  await chmod(folder, 0o755);
  const stops: (() => Promise<void>)[] = [() => rm(folder, {recursive: true, force: true})];
  const stop = async () => {
    for (const next of stops.reverse()) {
      await next();
    }
  };
  const started = async <Part extends {stop(): Promise<void>}>(starting: Promise<Part>) => {
    const part = await starting;
    stops.push(part.stop);
    return part;
  };
  try {
    const directory = join(folder, 'postgres');
    const postgres = await started(startPostgres({directory, password: password()}));
    const databases = await prepareDatabase(postgres.superuserUrl);
    const consumer = await started(startConsumer(databases.superuserUrl));
    const servers = await startModels(started);
    const apiKey = await seed(consumer.client, servers.urls);
    const log = openSync(join(folder, 'gateway.log'), 'w');
    stops.push(async () => closeSync(log));
    const gateway = await started(
      startChild({
        program: 'functions/gateway/main.ts',
        environment: {
          PORT: '0',
          DATABASE_URL: databases.gatewayUrl,
          ENVIRONMENT: 'development',
        },
        nodeArguments: profileFolder ? ['--cpu-prof', `--cpu-prof-dir=${profileFolder}`] : [],
        output: log,
      }),
    );
    const nginx = await startNginx(join(folder, 'nginx'), servers.urls.distant as string);
    if (nginx) {
      stops.push(nginx.stop);
    }
    const load = await started(startChild({program: 'test/bench/load.ts'}));
    return {
      target: (name, model) =>
        ({
          direct: servers.models[model],
          bare: servers.bares[model],
          nginx: model === 'distant' ? nginx : undefined,
          gateway,
        })[name],
      apiKey,
      postgresPid: Number(
        (await readFile(join(directory, 'postmaster.pid'), 'utf8')).split('\n')[0],
      ),
      load,
      stop,
    };
  } catch (error) {
    await stop();
    throw error;
  }
};

const startModels = async (started: (starting: Promise<Child>) => Promise<Child>) => {
  const [servers, bares, urls]: [
    Record<string, Child>,
    Record<string, Child>,
    Record<string, string>,
  ] = [{}, {}, {}];
  for (const [name, environment] of Object.entries(models)) {
    const server = await started(
      startChild({
        program: 'knative/local/simulated-model/main.ts',
        environment: {PORT: '0', MODELS: `${name}:8192`, ...environment},
      }),
    );
    servers[name] = server;
    urls[name] = server.url;
    bares[name] = await started(
      startChild({program: 'test/bench/bare.ts', environment: {UPSTREAM: server.url}}),
    );
  }
  return {models: servers, bares, urls};
};
