/**
Client: calls of the admin API, and what their failures mean to who typed the command.

In: a method, a path, a query, a body. Out: the parsed answer, or a Failure with an exit code.
*/
import {Failure} from './failure.ts';
import type {Settings} from './settings.ts';

export type Item = {readonly [name: string]: unknown};
/** What is absent is not sent. */
export type Query = Readonly<Record<string, string | undefined>>;
type Page = Readonly<{data: readonly Item[]; next?: string; truncated?: boolean}>;

export type Client = Readonly<{
  get<Answer = Item>(path: string, query?: Query): Promise<Answer>;
  /** Follows `next` to the end. */
  list(path: string, query?: Query): Promise<Item[]>;
  /** The text of an answer as it comes. */
  stream(path: string, query?: Query): AsyncIterable<string>;
  send(method: 'POST' | 'PATCH' | 'DELETE', path: string, body?: object): Promise<Item>;
}>;

export const createClient = ({
  settings: {url, adminKey},
  timeoutMs = 120_000,
}: {
  settings: Settings;
  /** A probe of many endpoints takes a while. */
  timeoutMs?: number;
}): Client => {
  const addressOf = (path: string, query: Query) => {
    const address = new URL(`${url}/admin/v1${path}`);
    for (const [name, value] of Object.entries(query)) {
      if (value !== undefined) {
        address.searchParams.set(name, value);
      }
    }
    return address;
  };
  // The key is for this server, wherever it would send us.
  const allowed = {redirect: 'manual', headers: {authorization: `Bearer ${adminKey}`}} as const;

  const call = async (method: string, path: string, query: Query = {}, body?: object) => {
    const {response, text} = await reach(async () => {
      const response = await fetch(addressOf(path, query), {
        ...allowed,
        method,
        ...(body === undefined
          ? {}
          : {
              headers: {...allowed.headers, 'content-type': 'application/json'},
              body: JSON.stringify(body),
            }),
        signal: AbortSignal.timeout(timeoutMs),
      });
      return {response, text: await response.text()};
    });
    const answer = text === '' ? {} : parse(text);
    if (!response.ok || answer === undefined) {
      throw toFailure(response.status, answer, url);
    }
    return answer;
  };

  const reach = async <Result>(work: () => Promise<Result>): Promise<Result> => {
    try {
      return await work();
    } catch (error) {
      const {cause, message} = error as Error & {cause?: {code?: string; message?: string}};
      const reason = cause?.code ?? cause?.message ?? message;
      throw new Failure('unreachable', `${url} does not answer (${reason})`, error);
    }
  };

  /** Waits for each piece, not for the whole, as long as for an answer. */
  async function* stream(path: string, query: Query = {}): AsyncGenerator<string, void> {
    const late = new AbortController();
    const timer = setTimeout(() => late.abort(new Error('nothing came for a while')), timeoutMs);
    try {
      const response = await reach(() =>
        fetch(addressOf(path, query), {...allowed, signal: late.signal}),
      );
      if (!response.ok) {
        throw toFailure(response.status, parse(await reach(() => response.text())), url);
      }
      const decoder = new TextDecoder();
      const reader = response.body?.getReader();
      for (;;) {
        const piece = await reach(async () => reader?.read());
        timer.refresh();
        if (!piece || piece.done) {
          return;
        }
        yield decoder.decode(piece.value, {stream: true});
      }
    } finally {
      clearTimeout(timer);
      late.abort();
    }
  }

  return {
    get: <Answer>(path: string, query?: Query) => call('GET', path, query) as Promise<Answer>,
    async list(path, query = {}) {
      const found: Item[] = [];
      for (let after: string | undefined; ; ) {
        const page = (await call('GET', path, {...query, after})) as unknown as Page;
        found.push(...page.data);
        if (page.next === undefined) {
          return found;
        }
        after = page.next;
      }
    },
    stream,
    send: (method, path, body) => call(method, path, {}, body),
  };
};

const parse = (text: string): Item | undefined => {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? (value as Item) : undefined;
  } catch {
    return undefined;
  }
};

const kinds: Readonly<Record<number, 'usage' | 'refused' | 'notFound'>> = {
  400: 'usage',
  401: 'refused',
  403: 'refused',
  404: 'notFound',
  413: 'usage',
};

const toFailure = (status: number, problem: Item | undefined, url: string) => {
  if (typeof problem?.code !== 'string') {
    return new Failure('failed', `${url} answered ${status} with what is no answer of Sluice`);
  }
  const detail = String(problem.detail ?? problem.title);
  return new Failure(
    kinds[status] ?? 'failed',
    status === 401 ? `the admin key is not the one of ${url}` : detail,
  );
};
