/**
Rows: which store, how it is set, how many events a batch.

Out: rows by name, and the contenders of each, in the order of a round: ours first. How much is in flight is the same for all.
*/
import type {Load} from './contender.ts';

export type Store = 'memory' | 'postgres' | 'redis' | 'redis-always' | 'kafka';

export type Row = Readonly<{
  name: string;
  title: string;
  store: Store;
  load: Load;
  contenders: readonly string[];
}>;

const stores: Readonly<Record<Store, {title: string; raw: readonly string[]}>> = {
  memory: {title: 'memory', raw: ['array']},
  postgres: {title: 'PostgreSQL, fsync on', raw: ['table', 'pg-boss']},
  redis: {title: 'Redis, appendfsync everysec', raw: ['ioredis']},
  'redis-always': {title: 'Redis, appendfsync always', raw: ['ioredis']},
  kafka: {title: 'Kafka, one broker, acks all', raw: ['kafkajs']},
};

const loads: readonly Load[] = [
  {batch: 1, publishers: 16, concurrency: 16, aheadMax: 2_000},
  {batch: 100, publishers: 4, concurrency: 4, aheadMax: 2_000},
  {batch: 500, publishers: 4, concurrency: 4, aheadMax: 4_000},
];

export const rows: readonly Row[] = (Object.keys(stores) as Store[]).flatMap(store =>
  loads.map(load => ({
    name: `${store}-${load.batch}`,
    title: stores[store].title,
    store,
    load,
    contenders: ['ours', ...stores[store].raw],
  })),
);
