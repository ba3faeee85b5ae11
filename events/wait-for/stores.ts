/**
Stores: what it means that PostgreSQL and Redis answer: PostgreSQL lets the role in and runs a statement, Redis says PONG.

In: a URL. Out: the dependency; each check has a connection of its own, which it closes.
*/
import pg from 'pg';
import {ready, redisAt, within} from '../redis.ts';
import type {Dependency} from './wait-for.ts';

export const postgresAt = (databaseUrl: string): Dependency => ({
  name: 'PostgreSQL',
  async check(withinMs) {
    const client = new pg.Client({
      connectionString: databaseUrl,
      application_name: 'sluice-wait-for',
      connectionTimeoutMillis: withinMs,
      query_timeout: withinMs,
    });
    // A connection that breaks while nobody waits for an answer is told by the next statement.
    client.on('error', () => {});
    try {
      await client.connect();
      await client.query('select 1');
    } catch (error) {
      const {message} = error as Error;
      throw message === 'timeout expired' ? new Error(`no answer within ${withinMs} ms`) : error;
    } finally {
      // Not awaited: a server that says nothing does not say goodbye either.
      client.end().catch(() => {});
    }
  },
});

export const redisStoreAt = (url: string): Dependency => ({
  name: 'Redis',
  async check(withinMs) {
    let last: Error | undefined;
    const client = await redisAt(url, {
      name: 'sluice-wait-for',
      connectMs: withinMs,
      replyMs: withinMs,
      onError: error => {
        last = error;
      },
    })();
    try {
      await ready(client, withinMs);
      await within(withinMs, 'PING', () => client.ping());
    } catch (error) {
      throw last ?? error;
    } finally {
      client.disconnect();
    }
  },
});
