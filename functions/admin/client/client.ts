/**
Client: the admin API of Sluice for TypeScript and JavaScript, with nothing but `fetch`.

In: the server's URL and a token. Out: a method for each operation of the OpenAPI document; `each`, the lists to their ends;
`full`, the same methods with status, ETag and request id. A POST that can be repeated is sent with an Idempotency-Key, the same at
every try.
*/
import {type Lists, listNames, type Operations, routes} from './operations.ts';
import type {CallOptions, Route} from './route.ts';
import {
  type Answered,
  type Call,
  createTransport,
  idempotencyHeader,
  type QueryValue,
  type Transport,
  type TransportOptions,
} from './transport.ts';

export {ApiError, UnreachableError} from './errors.ts';
export type {Lists, Operations} from './operations.ts';
export type {CallOptions} from './route.ts';
export type {Notice, Token} from './transport.ts';
export type * from './types.ts';

export type Full<Answer> = Readonly<{
  answer: Answer;
  status: number;
  /** What to give as `ifMatch` with a change, so that nobody else's is overwritten. */
  etag?: string;
  requestId?: string;
}>;
type FullOperations = {
  readonly [Name in keyof Operations as Operations[Name] extends (
    ...input: never
  ) => Promise<unknown>
    ? Name
    : never]: Operations[Name] extends (...input: infer Input) => Promise<infer Answer>
    ? (...input: Input) => Promise<Full<Answer>>
    : never;
};
export type Client = Operations & Readonly<{each: Lists; full: FullOperations}>;
export type ClientOptions = TransportOptions & Readonly<{newId?: () => string}>;

type Input = Readonly<Record<string, unknown>>;

export const createClient = ({newId, ...options}: ClientOptions): Client =>
  createClientOn(createTransport(options), newId);

/** On a transport of one's own, which may look at every call. */
export const createClientOn = (
  transport: Transport,
  newId = () => globalThis.crypto.randomUUID() as string,
): Client => {
  const call = (route: Route, input: Input = {}, given: CallOptions = {}) => ({
    ...toCall(route, input, newId),
    ...given,
  });
  const full: Record<string, unknown> = {};
  const methods: Record<string, unknown> = {};
  for (const [name, route] of Object.entries(routes)) {
    if (route.answer === 'text') {
      methods[name] = (input?: Input, given?: CallOptions) =>
        transport.stream(call(route, input, given));
      continue;
    }
    const send = (input?: Input, given?: CallOptions) => transport.send(call(route, input, given));
    methods[name] = async (input?: Input, given?: CallOptions) => (await send(input, given)).body;
    full[name] = async (input?: Input, given?: CallOptions) => toFull(await send(input, given));
  }
  const each = Object.fromEntries(
    listNames.map(name => [
      name,
      (input?: Input, given?: CallOptions) => pages(methods[name] as ReadPage, input, given),
    ]),
  );
  return {...methods, full, each} as unknown as Client;
};

type Page = Readonly<{data: readonly unknown[]; next?: string}>;
type ReadPage = (input: Input, options?: CallOptions) => Promise<Page>;

async function* pages(read: ReadPage, input: Input = {}, options?: CallOptions) {
  for (let after = input.after; ; ) {
    const page = await read({...input, after}, options);
    yield* page.data;
    if (page.next === undefined) {
      return;
    }
    after = page.next;
  }
}

const toFull = ({status, headers, body}: Answered): Full<unknown> => {
  const etag = headers.get('etag');
  const requestId = headers.get('x-request-id');
  return {
    answer: body,
    status,
    ...(etag === null ? {} : {etag}),
    ...(requestId === null ? {} : {requestId}),
  };
};

/** What an operation's input becomes on the wire. */
export const toCall = (route: Route, input: Input, newId: () => string): Call => {
  const path = route.path.replaceAll(/\{(\w+)\}/g, (_, name: string) => {
    const value = input[name];
    if (typeof value !== 'string' || value === '') {
      throw new TypeError(`${route.method} ${route.path}: expected ${name}, got ${String(value)}`);
    }
    return encodeURIComponent(value);
  });
  const headers = Object.entries(route.headers).flatMap(([field, name]) => {
    const value =
      name.toLowerCase() === idempotencyHeader ? (input[field] ?? newId()) : input[field];
    return value === undefined ? [] : [[name, String(value)] as const];
  });
  return {
    method: route.method,
    path,
    query: Object.fromEntries(route.query.map(name => [name, input[name] as QueryValue])),
    headers: Object.fromEntries(headers),
    ...(input.body === undefined ? {} : {body: input.body as object}),
  };
};
