/**
Server: the simulated model server. It speaks the HTTP surface of vLLM, makes words up, and says so in every answer.

In: options. Out: a running server with its counters, the requests it kept, a way to change its settings, and its end.
*/
import {createServer, type IncomingMessage, type ServerResponse} from 'node:http';
import type {AddressInfo} from 'node:net';
import {parseBody, readBody} from './body.ts';
import {anthropicErrorBody, badRequest, errorBody, RequestError, unknownModel} from './errors.ts';
import type {Answer, Exchange, Prepare, ServedModel} from './exchange.ts';
import {type Faults, parseFaults, replaceAnswer} from './faults.ts';
import type {Body} from './fields.ts';
import {type Counters, createMetrics, type RequestCounters} from './metrics.ts';
import type {Model} from './plan.ts';
import {sendJson, sendText} from './reply.ts';
import {modelList, posts} from './routes.ts';
import {defaultSettings, mergeSettings, type Settings} from './settings.ts';
import {usageCounter, usageWriter} from './usage.ts';

export const defaultModels: readonly Model[] = [
  {name: 'simulated-chat', maxModelLength: 8_192},
  {name: 'simulated-embedding', maxModelLength: 8_192},
];

/** The newest are kept; a test that wants more is looking for something else. */
const keptRequestsMax = 1_000;
const metricsType = 'text/plain; version=0.0.4; charset=utf-8';

/** What came in, byte for byte; `rawHeaders` has name, value, name, value in the order of the wire. */
export type KeptRequest = Readonly<{
  method: string;
  path: string;
  headers: IncomingMessage['headers'];
  rawHeaders: readonly string[];
  body: Buffer;
}>;

export type SimulatedModelOptions = Partial<Settings> &
  Readonly<{
    port?: number;
    host?: string;
    models?: readonly Model[];
    keepRequests?: boolean;
    now?: () => number;
  }>;

export type SimulatedModel = Readonly<{
  url: string;
  port: number;
  counters: () => Counters;
  /** Of one request, by its `x-request-id`. */
  requestCounters: (request: string) => Readonly<RequestCounters> | undefined;
  requests: () => readonly KeptRequest[];
  set: (options: Partial<Settings>) => void;
  close: () => Promise<void>;
}>;

type Route = Readonly<{path: string; prepare: Prepare}>;

type State = Readonly<{
  models: ReadonlyMap<string, ServedModel>;
  metrics: ReturnType<typeof createMetrics>;
  settings: () => Settings;
  keep: (request: IncomingMessage, body: Buffer) => void;
  nextId: () => string;
  now: () => number;
}>;

const serveModels = (models: readonly Model[]) => {
  const wrong = models.filter(({name, maxModelLength}) => !name || !(maxModelLength >= 1));
  if (models.length === 0 || wrong.length > 0) {
    throw new TypeError('models must be a list of {name, maxModelLength ≥ 1}, at least one.');
  }
  return new Map(models.map(model => [model.name, {...model, json: JSON.stringify(model.name)}]));
};

/** As vLLM does, a request that names no model gets the first. */
const modelOf = (body: Body, models: State['models']) => {
  const name = body.model ?? models.keys().next().value;
  if (typeof name !== 'string') throw badRequest('model must be a string.', 'model');
  const model = models.get(name);
  if (model === undefined) throw unknownModel(name);
  return model;
};

const faultsOf = (path: string, request: IncomingMessage, settings: Settings): Faults => {
  const header = request.headers['x-simulate'];
  const asked = settings.faultsByHeader && header ? parseFaults(String(header)) : [];
  return new Set(settings.faultPaths.includes(path) ? [...settings.faults, ...asked] : []);
};

const textOf = (header: string | string[] | undefined) =>
  typeof header === 'string' ? header : undefined;

/**
From here on the request counts, and its connection's end stops whatever it started: also the end of what its client writes,
which is all that a server sees of a client that closed. As uvicorn does, it writes out what was written before.
*/
const begin = (exchange: Exchange, answer: Answer) => {
  const {response, faults, life, settings} = exchange;
  const {socket} = response;
  let stop = () => {};
  const leave = () => {
    stop();
    life.abort();
  };
  socket?.once('end', leave);
  response.once('close', () => {
    socket?.off('end', leave);
    leave();
  });
  const start = () => {
    if (!replaceAnswer(faults, response)) stop = answer(exchange);
    else if (!faults.has('hang')) life.fail();
  };
  if (!faults.has('slow-headers')) return start();
  const timer = setTimeout(start, settings().slowHeadersMs);
  stop = () => clearTimeout(timer);
};

const respond = (
  state: State,
  {path, prepare}: Route,
  request: IncomingMessage,
  response: ServerResponse,
  bytes: Buffer,
) => {
  const settings = state.settings();
  const faults = faultsOf(path, request, settings);
  const body = parseBody(bytes);
  const model = modelOf(body, state.models);
  const answer = prepare(body, model, settings);
  const counts = usageCounter(faults, settings.cachedPromptShare);
  const exchange = {
    id: state.nextId(),
    created: Math.floor(state.now() / 1_000),
    model,
    settings: state.settings,
    faults,
    usage: usageWriter(counts, settings.cachedPromptShare),
    counts,
    life: state.metrics.begin(model.name, textOf(request.headers['x-request-id'])),
    response,
  };
  begin(exchange, answer);
};

const handlePost = (
  state: State,
  route: Route,
  request: IncomingMessage,
  response: ServerResponse,
) =>
  readBody(request, body => {
    try {
      if (body instanceof RequestError) throw body;
      state.keep(request, body);
      respond(state, route, request, response, body);
    } catch (error) {
      if (!(error instanceof RequestError)) throw error;
      const write = route.path === '/v1/messages' ? anthropicErrorBody : errorBody;
      sendJson(response, write(error), error.status);
    }
  });

const handle = (state: State) => {
  const created = Math.floor(state.now() / 1_000);
  const gets = new Map<string, (response: ServerResponse) => void>([
    ['/health', response => sendText(response, 200, 'text/plain', '')],
    ['/version', response => sendJson(response, '{"version":"0.0.0+simulated"}')],
    ['/v1/models', response => sendJson(response, modelList(state.models.values(), created))],
    ['/metrics', response => sendText(response, 200, metricsType, state.metrics.text())],
  ]);
  return function handleRequest(request: IncomingMessage, response: ServerResponse) {
    const [path = '/'] = (request.url ?? '/').split('?', 1);
    const get = gets.get(path);
    const prepare = posts.get(path);
    if (request.method === 'POST' && prepare !== undefined) {
      handlePost(state, {path, prepare}, request, response);
    } else if (request.method === 'GET' && get !== undefined) get(response);
    else if (get !== undefined || prepare !== undefined) {
      sendJson(response, '{"detail":"Method Not Allowed"}', 405);
    } else sendJson(response, '{"detail":"Not Found"}', 404);
  };
};

const listen = (server: ReturnType<typeof createServer>, port: number, host: string) =>
  new Promise<AddressInfo>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, host, () => {
      server.off('error', reject);
      resolve(server.address() as AddressInfo);
    });
  });

export const startSimulatedModel = async ({
  port = 0,
  host = '127.0.0.1',
  models = defaultModels,
  keepRequests = false,
  now = Date.now,
  ...options
}: SimulatedModelOptions = {}): Promise<SimulatedModel> => {
  let settings = mergeSettings(defaultSettings, options);
  let ids = 0;
  const kept: KeptRequest[] = [];
  const served = serveModels(models);
  const metrics = createMetrics([...served.keys()]);
  const keep = ({method, url, headers, rawHeaders}: IncomingMessage, body: Buffer) => {
    if (!keepRequests) return;
    if (kept.length === keptRequestsMax) kept.shift();
    kept.push({method: method ?? '', path: url ?? '', headers, rawHeaders, body});
  };
  const nextId = () => `simulated-${(++ids).toString().padStart(12, '0')}`;
  const state = {models: served, metrics, settings: () => settings, keep, nextId, now};
  // A pool in front must be the one that lets go of an idle connection, or its next request meets a reset.
  const server = createServer({keepAliveTimeout: 120_000}, handle(state));
  const address = await listen(server, port, host);
  return {
    url: `http://${host}:${address.port}`,
    port: address.port,
    counters: metrics.counters,
    requestCounters: metrics.request,
    requests: () => [...kept],
    set: changes => {
      settings = mergeSettings(settings, changes);
    },
    close: () =>
      new Promise(resolve => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
};
