/**
Connect: kafkajs, loaded when it is needed, with sockets that we can cut.

In: settings. Out: a client of kafkajs, and `cut`, which ends whatever still waits for an answer: kafkajs waits for requests
before it disconnects, and a Kafka that hangs answers none. Each producer, consumer and admin has a client of its own, because
clients share what they know of a group's offsets, and because one is cut without the others.
*/
import {connect, isIP, type Socket} from 'node:net';
import {connect as connectTls} from 'node:tls';
import type {ISocketFactory, Kafka, logCreator, logLevel} from 'kafkajs';
import type {Logger} from '../telemetry.ts';
import {mendKafkajs} from './mend.ts';
import type {KafkaSettings} from './settings.ts';

export type KafkaConnection = Readonly<{kafka: Kafka; cut(): void}>;
export type ConnectKafka = () => Promise<KafkaConnection>;

const keepAliveMs = 60_000;
/** The same line again is left out for this long: with Kafka away kafkajs tells of every attempt. */
const repeatMs = 10_000;
const linesMax = 100;

export const connectKafka = async (
  {brokers, clientId, tls = false, sasl}: KafkaSettings,
  {
    logger,
    connectMs = 2_000,
    requestMs = 10_000,
  }: {logger?: Logger | undefined; connectMs?: number; requestMs?: number} = {},
): Promise<KafkaConnection> => {
  // First: of one part the old is kept by whoever loaded it.
  await mendKafkajs();
  const {Kafka, logLevel: levels} = await import('kafkajs');
  const sockets = createSockets();
  const kafka = new Kafka({
    brokers: [...brokers],
    clientId,
    ...(tls ? {ssl: true} : {}),
    // The types of kafkajs want each mechanism by itself.
    ...(sasl ? {sasl: {...sasl} as {mechanism: 'plain'; username: string; password: string}} : {}),
    connectionTimeout: connectMs,
    authenticationTimeout: connectMs * 2,
    requestTimeout: requestMs,
    enforceRequestTimeout: true,
    // All said, because under NODE_ENV=test its defaults are others. Whoever uses it has patience of their own.
    retry: {initialRetryTime: 100, maxRetryTime: 1_000, factor: 0.2, multiplier: 2, retries: 2},
    socketFactory: sockets.open,
    logLevel: logger ? levels.WARN : levels.NOTHING,
    logCreator: logTo(logger, levels.ERROR),
  });
  return {kafka, cut: sockets.cut};
};

const createSockets = () => {
  const sockets = new Set<Socket>();
  let isCut = false;
  const end = (socket: Socket) => socket.destroy(new Error('the connection was given up'));

  const open: ISocketFactory = ({host, port, ssl, onConnect}) => {
    const socket = ssl
      ? connectTls({host, port, ...(isIP(host) ? {} : {servername: host}), ...ssl}, onConnect)
      : connect({host, port}, onConnect);
    socket.setKeepAlive(true, keepAliveMs);
    // Requests are small, and the next one would wait for the acknowledgement of the last.
    socket.setNoDelay(true);
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
    if (isCut) {
      end(socket);
    }
    return socket;
  };

  return {
    open,
    cut() {
      isCut = true;
      sockets.forEach(end);
    },
  };
};

/** kafkajs's errors are warnings here: it tries again, and what fails in the end is told to whoever asked. */
const logTo = (logger: Logger | undefined, errorLevel: logLevel): logCreator => {
  const told = new Map<string, number>();
  return () =>
    ({namespace, level, log}) => {
      const line = `${namespace}: ${log.message}`;
      const now = performance.now();
      if (now - (told.get(line) ?? Number.NEGATIVE_INFINITY) < repeatMs) {
        return;
      }
      if (told.size >= linesMax) {
        told.clear();
      }
      told.set(line, now);
      const {broker, groupId, error} = log as Record<string, unknown>;
      logger?.[level === errorLevel ? 'warn' : 'info'](
        {
          kafkajs: namespace,
          broker,
          groupId,
          reason: typeof error === 'string' ? error : undefined,
        },
        log.message,
      );
    };
};

/** Rejects when the work takes longer; what becomes of the work then is of no interest. */
export const within = async <Result>(
  work: Promise<Result>,
  timeoutMs: number,
  what: string,
): Promise<Result> => {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_resolve, reject) => {
    const tell = () => reject(new Error(`${what} took longer than ${timeoutMs} ms`));
    // One more turn: in a process that lagged, the answer may be there and only not read yet.
    timer = setTimeout(() => setImmediate(tell), timeoutMs);
  });
  work.catch(() => {});
  return Promise.race([work, late]).finally(() => clearTimeout(timer));
};
