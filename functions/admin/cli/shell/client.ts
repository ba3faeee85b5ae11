/**
Client: calls of the admin API by the generated client, and what their failures mean to who typed the command.

In: a method, a path, a query, a body; or an operation by its name. Out: the parsed answer, or a Failure with an exit code. With
--dry-run what would change something is described and not sent.
*/
import {
  type Client as Api,
  ApiError,
  createClientOn,
  UnreachableError,
} from '../../client/client.ts';
import {routes} from '../../client/operations.ts';
import {
  type Call,
  createTransport,
  idempotencyHeader,
  type Notice,
  type Transport,
  type TransportOptions,
} from '../../client/transport.ts';
import {DryRun, describe} from './dry-run.ts';
import {Failure} from './failure.ts';
import {noProgress, type Progress} from './progress.ts';
import type {Settings} from './settings.ts';

export type Item = {readonly [name: string]: unknown};
/** What is absent is not sent. */
export type Query = Readonly<Record<string, string | undefined>>;

export type Client = Readonly<{
  /** Of the server. */
  url: string;
  /** Every operation of the document, typed. */
  api: Api;
  get<Answer = Item>(path: string, query?: Query): Promise<Answer>;
  /** Follows `next` to the end. */
  list(path: string, query?: Query): Promise<Item[]>;
  /** The text of an answer as it comes. */
  stream(path: string, query?: Query): AsyncIterable<string>;
  send(method: 'POST' | 'PUT' | 'PATCH' | 'DELETE', path: string, body?: object): Promise<Item>;
}>;

export type ClientOptions = Readonly<{
  settings: Settings;
  /** A probe of many endpoints takes a while. */
  timeoutMs?: number;
  dryRun?: boolean;
  /** Nothing is shown again and again that changes something each time. */
  watching?: boolean;
  progress?: Progress;
  onNotice?: (notice: Notice) => void;
  wait?: TransportOptions['wait'];
  newId?: () => string;
}>;

type Page = Readonly<{data: readonly Item[]; next?: string}>;
const base = '/admin/v1';
const readOnly = ['GET', 'HEAD'];
/** A question that is too long for a query. */
const questions = ['/admin/v1/usage/verify'];

export const createClient = ({
  settings,
  newId = () => globalThis.crypto.randomUUID(),
  ...options
}: ClientOptions): Client => {
  const transport = watched(settings, options);
  const call = async <Answer>(given: Omit<Call, 'path'> & {path: string}) =>
    ((await transport.send({...given, path: base + given.path})).body ?? {}) as Answer;
  const get = <Answer>(path: string, query?: Query) =>
    call<Answer>({method: 'GET', path, ...(query ? {query} : {})});
  return {
    url: settings.url,
    api: createClientOn(transport, newId),
    get,
    async list(path, query = {}) {
      const found: Item[] = [];
      for (let after: string | undefined; ; ) {
        const page = await get<Page>(path, {...query, after});
        found.push(...page.data);
        if (page.next === undefined) {
          return found;
        }
        after = page.next;
      }
    },
    stream: (path, query) =>
      transport.stream({method: 'GET', path: base + path, ...(query ? {query} : {})}),
    send: (method, path, body) =>
      call<Item>({
        method,
        path,
        headers: headersOf(method, base + path, newId),
        ...(body === undefined ? {} : {body}),
      }),
  };
};

const routeOf = (method: string, path: string) => {
  const parts = path.split('/');
  return Object.values(routes).find(route => {
    const wanted = route.path.split('/');
    return (
      route.method === method &&
      wanted.length === parts.length &&
      wanted.every((part, index) => part === parts[index] || part[0] === '{')
    );
  });
};

/** Where the document says that a call can be repeated, it is sent so that it can. */
const headersOf = (method: string, path: string, newId: () => string): Record<string, string> => {
  const headers = Object.values(routeOf(method, path)?.headers ?? {});
  const name = headers.find(one => one.toLowerCase() === idempotencyHeader);
  return name === undefined ? {} : {[name]: newId()};
};

/** The transport of the generated client, with what a command line adds: --dry-run, --watch, progress, exit codes. */
const watched = (
  settings: Settings,
  {
    timeoutMs = 120_000,
    dryRun = false,
    watching = false,
    progress = noProgress,
    onNotice,
    wait,
  }: Omit<ClientOptions, 'settings' | 'newId'>,
): Transport => {
  const transport = createTransport({
    url: settings.url,
    token: settings.token,
    timeoutMs,
    ...(onNotice ? {onNotice} : {}),
    ...(wait ? {wait} : {}),
  });
  const failing = <Result>(work: Promise<Result>): Promise<Result> =>
    work.catch(error => {
      throw toFailure(error, settings.url);
    });
  const send: Transport['send'] = async call => {
    const isChange = !readOnly.includes(call.method) && !questions.includes(call.path);
    if (isChange && watching) {
      throw new Failure('usage', '--watch: only for what shows something');
    }
    if (isChange && dryRun) {
      // What is not there cannot be changed either, and a dry run says so.
      const now =
        ['PATCH', 'DELETE'].includes(call.method) && routeOf('GET', call.path)
          ? await failing(transport.send({method: 'GET', path: call.path.replace(/\?.*$/, '')}))
          : undefined;
      throw new DryRun(describe(call, now?.body as Item | undefined));
    }
    return failing(
      progress(`waiting for ${new URL(settings.url).host}`, () => transport.send(call)),
    );
  };
  return {
    send,
    async *stream(call) {
      try {
        yield* transport.stream(call);
      } catch (error) {
        throw toFailure(error, settings.url);
      }
    },
  };
};

const kinds: Readonly<Record<number, 'usage' | 'refused' | 'notFound'>> = {
  400: 'usage',
  401: 'refused',
  403: 'refused',
  404: 'notFound',
  413: 'usage',
};

const toFailure = (error: unknown, url: string): unknown => {
  if (error instanceof UnreachableError) {
    return new Failure('unreachable', error.message, error);
  }
  if (!(error instanceof ApiError)) {
    return error;
  }
  const message = error.status === 401 ? `${url} does not take this key` : error.detail;
  return new Failure(kinds[error.status] ?? 'failed', message, error, error.status);
};
