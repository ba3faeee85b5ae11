/**
Canary: where a text is found that must be nowhere.

In: texts, and the stores, streams, processes and collectors of a running Sluice. Out: the places that have it, as it is or in hex
or base64. Tables are found in PostgreSQL's catalogue, keys by a scan, topics by their list: a new one is searched from its first
day. Whoever uses it plants a canary of its own, and sees that the search finds that one.
*/
import {randomBytes} from 'node:crypto';
import {readdirSync, readFileSync, statSync} from 'node:fs';
import {join} from 'node:path';
import {Redis} from 'ioredis';
import {Kafka, logLevel} from 'kafkajs';
import {asSuperuser} from './books.ts';

/** Told apart from every id and every other text. */
export const makeCanary = (name: string) => `${name}${randomBytes(12).toString('hex')}`;

/** As it is, as bytes are shown, and in base64 whatever stands before it. */
export const disguises = (canary: string): string[] => {
  const bytes = Buffer.from(canary);
  const inBase64 = [0, 1, 2].map(offset =>
    Buffer.concat([Buffer.alloc(offset), bytes])
      .toString('base64')
      .replace(/=+$/, '')
      .slice(offset === 0 ? 0 : offset + 1, -1),
  );
  return [canary, bytes.toString('hex'), ...inBase64];
};

export const isIn = (text: string, canary: string) =>
  disguises(canary).some(disguise => text.includes(disguise));

const tableNames = `
  select format('%I.%I', nspname, relname) as name
  from pg_class join pg_namespace n on n.oid = relnamespace
  where relkind in ('r', 'p', 'm') and not relispartition and nspname not in ('pg_catalog', 'information_schema')
    and nspname not like 'pg_toast%' order by 1`;

/** Every table, every column as text. */
export const searchPostgres = (dataFolder: string, canary: string): Promise<string[]> =>
  asSuperuser(dataFolder, async client => {
    const {rows: tables} = await client.query<{name: string}>(tableNames);
    if (tables.length < 20) {
      throw new Error(`only ${tables.length} tables were found`);
    }
    const places: string[] = [];
    for (const {name} of tables) {
      const {rows} = await client.query<{line: string}>(
        `select left(t::text, 300) as line from ${name} t
         where exists (select from unnest($1::text[]) d where position(d in t::text) > 0) limit 3`,
        [disguises(canary)],
      );
      places.push(...rows.map(({line}) => `table ${name}: ${line}`));
    }
    return places;
  });

/** Everything under a folder as bytes: write-ahead log and dead rows too. */
export const searchFiles = (folder: string, canary: string): string[] => {
  const wanted = disguises(canary).map(text => Buffer.from(text));
  return readdirSync(folder, {recursive: true, encoding: 'utf8'}).filter(name => {
    try {
      const path = join(folder, name);
      return statSync(path).isFile() && wanted.some(text => readFileSync(path).includes(text));
    } catch {
      // PostgreSQL removes files while it works.
      return false;
    }
  });
};

const readKey = async (client: Redis, key: string): Promise<unknown> => {
  switch (await client.type(key)) {
    case 'string':
      return (await client.getBuffer(key))?.toString('latin1');
    case 'hash':
      return client.hgetall(key);
    case 'list':
      return client.lrange(key, 0, -1);
    case 'set':
      return client.smembers(key);
    case 'zset':
      return client.zrange(key, 0, '-1');
    case 'stream':
      return client.xrange(key, '-', '+');
    default:
      return client.dumpBuffer(key);
  }
};

export const searchRedis = async (url: string, canary: string) => {
  const client = new Redis(url);
  const places: string[] = [];
  let keys = 0;
  try {
    for await (const found of client.scanStream({count: 1_000})) {
      for (const key of found as string[]) {
        keys += 1;
        if (isIn(`${key} ${JSON.stringify(await readKey(client, key))}`, canary)) {
          places.push(`key ${key}`);
        }
      }
    }
  } finally {
    client.disconnect();
  }
  return {places, keys};
};

/** Every record of every topic, keys and headers too, up to what is there now. */
export const searchKafka = async (brokers: readonly string[], canary: string) => {
  const kafka = new Kafka({brokers: [...brokers], logLevel: logLevel.NOTHING});
  const admin = kafka.admin();
  await admin.connect();
  const topics = (await admin.listTopics()).filter(topic => topic !== '__consumer_offsets');
  const left = new Map<string, number>();
  for (const topic of topics) {
    for (const {partition, high, low} of await admin.fetchTopicOffsets(topic)) {
      if (Number(high) > Number(low)) {
        left.set(`${topic}/${partition}`, Number(high));
      }
    }
  }
  await admin.disconnect();
  const places: string[] = [];
  let records = 0;
  const done = Promise.withResolvers<void>();
  if (left.size === 0) {
    return {places, records};
  }
  const consumer = kafka.consumer({groupId: makeCanary('search-'), maxWaitTimeInMs: 50});
  await consumer.connect();
  await consumer.subscribe({topics, fromBeginning: true});
  await consumer.run({
    eachMessage: async ({topic, partition, message}) => {
      records += 1;
      const text = `${message.key} ${message.value} ${JSON.stringify(
        Object.entries(message.headers ?? {}).map(([name, value]) => [name, String(value)]),
      )}`;
      if (isIn(text, canary)) {
        places.push(`topic ${topic}: ${text.slice(0, 300)}`);
      }
      if (Number(message.offset) + 1 >= (left.get(`${topic}/${partition}`) ?? 0)) {
        left.delete(`${topic}/${partition}`);
      }
      if (left.size === 0) {
        done.resolve();
      }
    },
  });
  await done.promise;
  await consumer.disconnect();
  return {places, records};
};

/** The metrics page of every process, found by the lines in which they say where they listen. */
export const readMetrics = async (lines: readonly string[]): Promise<Map<string, string>> => {
  const pages = new Map<string, string>();
  for (const line of lines.filter(text => text.includes('"msg":"listening"'))) {
    const {function: name, port} = JSON.parse(line) as {function: string; port: number};
    const answer = await fetch(`http://127.0.0.1:${port}/metrics`).catch(() => undefined);
    if (answer?.ok) {
      pages.set(name, await answer.text());
    }
  }
  return pages;
};
