/**
Secret: what the functions of an installation know, and the Secret `sluice` that tells them, as an operator would make it.

In: the namespace, the stores, Kafka's brokers. Out: its values, and the object.
*/
import {randomBytes} from 'node:crypto';
import type {Database} from './stores.ts';

export type Known = Readonly<{
  adminKey: string;
  sourceToken: string;
  resultsKey: string;
  stampKey: string;
}>;

export const makeKnown = (): Known => ({
  adminKey: randomBytes(24).toString('base64url'),
  sourceToken: randomBytes(24).toString('base64url'),
  resultsKey: randomBytes(32).toString('base64'),
  stampKey: randomBytes(32).toString('base64url'),
});

export const secretOf = ({
  namespace,
  known,
  database,
  redisUrl,
  kafkaBrokers,
}: {
  namespace: string;
  known: Known;
  database: Database;
  redisUrl: string;
  kafkaBrokers: string;
}) => ({
  apiVersion: 'v1',
  kind: 'Secret',
  metadata: {name: 'sluice', namespace},
  stringData: {
    'admin-database-url': database.superuserUrl,
    'owner-database-url': database.ownerUrl,
    'tenant-database-url': database.tenantUrl,
    'gateway-database-url': database.gatewayUrl,
    'gateway-database-url-direct': database.gatewayUrl,
    'system-database-url': database.systemUrl,
    'redis-url': redisUrl,
    'kafka-brokers': kafkaBrokers,
    'results-key': known.resultsKey,
    'stamp-key': known.stampKey,
    'source-token': known.sourceToken,
    'admin-key': known.adminKey,
  },
});
