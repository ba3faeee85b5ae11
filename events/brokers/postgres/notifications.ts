/**
Notifications: one connection that hears NOTIFYs, and comes back when it breaks.

In: a pool, a channel. Out: a call for each payload, and one without when some may have been missed.

A NOTIFY can be lost, so who listens also polls; each new connection counts as a notification of everything missed.
*/
import type pg from 'pg';

export type Listening = Readonly<{close(): Promise<void>}>;

export const listenTo = async ({
  pool,
  channel,
  onNotification,
  onConnected = async () => {},
  onError = () => {},
  reconnectMs = 500,
}: {
  /** Gives one of its connections for as long as this listens. */
  pool: pg.Pool;
  /** A plain identifier. */
  channel: string;
  /** The payload; undefined when notifications may have been missed. */
  onNotification: (payload: string | undefined) => void;
  /** Runs on each new connection before it listens: for locks that live as long as it does. */
  onConnected?: (client: pg.PoolClient) => Promise<void>;
  onError?: (error: Error) => void;
  reconnectMs?: number;
}): Promise<Listening> => {
  let client: pg.PoolClient | undefined;
  let timer: NodeJS.Timeout | undefined;
  let closed = false;
  let connecting: Promise<void> | undefined;

  const connectLater = () => {
    if (!closed) {
      timer = setTimeout(() => {
        connecting = connect();
      }, reconnectMs);
    }
  };

  const connect = async () => {
    let fresh: pg.PoolClient | undefined;
    try {
      fresh = await pool.connect();
      const mine = fresh;
      mine.on('notification', ({payload}) => onNotification(payload));
      mine.on('error', error => {
        onError(error);
        if (client === mine) {
          client = undefined;
          mine.release(error);
          connectLater();
        }
      });
      await onConnected(mine);
      await mine.query(`listen ${channel}`);
      client = mine;
      onNotification(undefined);
    } catch (error) {
      fresh?.release(error as Error);
      onError(error as Error);
      connectLater();
    }
  };

  await connect();
  return {
    async close() {
      closed = true;
      clearTimeout(timer);
      await connecting;
      clearTimeout(timer);
      const old = client;
      client = undefined;
      old?.release(true);
    },
  };
};
