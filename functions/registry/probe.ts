/**
Probe: asks one endpoint whether it serves its model, how long a context it takes, and where it reports usage.

In: an endpoint. Out: a finding; never an error. At the same time `GET /v1/models`, `GET /health` and `POST /tokenize`, then
one streamed request of four tokens: chat, else completions, each with usage asked for and, where a server refuses that,
without; else one embedding. Every step and every body is bounded. Of a model that scales to zero `GET /v1/models` is asked
alone and first: where nobody answers, nothing runs, and that is no illness. A known server that says nothing is asked a second time, and is
ill when `/metrics` shows that meanwhile it generated nothing for anybody else (`stuck.ts`).
*/
import {abilityOf, hasUsage, parseChunks} from './ability.ts';
import {type Answer, type BoundedFetch, createBoundedFetch} from './fetch-bounded.ts';
import type {Ability, Finding} from './model.ts';
import {countsTokens, stands} from './stuck.ts';

export type Target = Readonly<{
  url: string;
  upstreamModel: string;
  /** It has answered a request before: then slowness alone is load and not illness. */
  known: boolean;
  /** The model scales to zero. */
  mayBeAsleep?: boolean;
}>;
export type Probe = (target: Target) => Promise<Finding>;

/** `isSilent`: it took the request and said nothing. */
type Generation = Readonly<{usage: Ability} | {busy: string; isSilent: boolean} | {failed: string}>;
type Listing = Readonly<{contextLength: number | null} | {failed: string}>;

const usageWanted = {stream_options: {include_usage: true, continuous_usage_stats: true}};

/** Statuses with which a server says that it does not take this kind of request; the next kind is tried. */
const notThisWay = new Set([400, 404, 405, 415, 422, 501]);

export const createProbe = ({
  stepMs = 5_000,
  bodyBytesMax = 1024 * 1024,
}: {
  stepMs?: number;
  bodyBytesMax?: number;
} = {}): Probe => {
  const ask = createBoundedFetch({stepMs, bodyBytesMax});
  return async function probe({url, upstreamModel, known, mayBeAsleep = false}) {
    const first = mayBeAsleep ? await ask('GET', `${url}/v1/models`) : undefined;
    const absence = first && absenceOf(first);
    if (absence !== undefined) {
      const reason = `not running: ${absence}`;
      return {health: 'unknown', reason, contextLength: null, usage: null, tokenize: null};
    }
    const [models, health, tokens] = await Promise.all([
      first ?? ask('GET', `${url}/v1/models`),
      ask('GET', `${url}/health`),
      ask('POST', `${url}/tokenize`, {model: upstreamModel, prompt: 'a'}),
    ]);
    const listing = readListing(models, upstreamModel);
    const tokenize = canTokenize(tokens);
    if ('failed' in listing) {
      return {
        health: 'unhealthy',
        reason: listing.failed,
        contextLength: null,
        usage: null,
        tokenize,
      };
    }
    const found = {contextLength: listing.contextLength, usage: null, tokenize};
    const ill = illness(health);
    if (ill !== undefined) {
      return {...found, health: 'unhealthy', reason: ill};
    }
    const generation = await generate(ask, url, upstreamModel);
    if ('usage' in generation) {
      return {...found, health: 'healthy', reason: null, usage: generation.usage};
    }
    return {...found, ...(await judgeSilence(ask, {url, upstreamModel, known}, generation))};
  };
};

type Silence = Exclude<Generation, {usage: Ability}>;

/** One that is known is asked a second time, unless nothing could be learnt of that. */
const judgeSilence = async (
  ask: BoundedFetch,
  {url, upstreamModel, known}: Target,
  first: Silence,
): Promise<Pick<Finding, 'health' | 'reason' | 'usage'>> => {
  if ('failed' in first) {
    return {health: 'unhealthy', reason: first.failed, usage: null};
  }
  const busy = {health: known ? 'healthy' : 'unhealthy', reason: first.busy, usage: null} as const;
  const before = known && first.isSilent ? await metricsOf(ask, url) : undefined;
  if (before === undefined || !countsTokens(before)) {
    return busy;
  }
  const second = await generate(ask, url, upstreamModel);
  if ('usage' in second) {
    return {health: 'healthy', reason: null, usage: second.usage};
  }
  if ('failed' in second) {
    return {health: 'unhealthy', reason: second.failed, usage: null};
  }
  return second.isSilent && stands(before, (await metricsOf(ask, url)) ?? '')
    ? {
        health: 'unhealthy',
        reason: `it answers and generates nothing, for nobody: its count of tokens stands still (${second.busy})`,
        usage: null,
      }
    : busy;
};

const metricsOf = async (ask: BoundedFetch, url: string): Promise<string | undefined> => {
  const answer = await ask('GET', `${url}/metrics`);
  return 'text' in answer && answer.status === 200 ? answer.text : undefined;
};

/** Who stands in front of servers says with these that there is none behind it now. */
const gatewayStatuses = new Set([502, 503, 504]);

const absenceOf = (answer: Answer): string | undefined => {
  if ('failed' in answer) {
    return answer.answered ? undefined : answer.failed;
  }
  return gatewayStatuses.has(answer.status)
    ? `answered /v1/models with status ${answer.status}`
    : undefined;
};

/** A server without the route is asked on: `/v1/models` is a courtesy that not all have. */
const readListing = (answer: Answer, upstreamModel: string): Listing => {
  if ('failed' in answer) {
    return {failed: answer.failed};
  }
  if (answer.status === 404 || answer.status === 405) {
    return {contextLength: null};
  }
  if (answer.status !== 200) {
    return {failed: `answered /v1/models with status ${answer.status}`};
  }
  const data = (parse(answer.text) as {data?: unknown} | null | undefined)?.data;
  if (!Array.isArray(data)) {
    return {failed: 'answered /v1/models with what is no list of models'};
  }
  const named = (id: unknown) =>
    data.find(item => typeof item === 'object' && item !== null && item.id === id);
  const entry = named(upstreamModel);
  if (!entry) {
    return {failed: `its server does not know the model ${upstreamModel}`};
  }
  // An adapter has the context of the model that it is loaded on.
  const length =
    entry.max_model_len ?? (entry.parent == null ? null : named(entry.parent)?.max_model_len);
  return {
    contextLength:
      Number.isInteger(length) && length > 0 && length <= 2_147_483_647 ? length : null,
  };
};

/** Only a server that has the route and says that it is not well is ill by it. */
const illness = (health: Answer): string | undefined => {
  if ('failed' in health) {
    return `/health: ${health.failed}`;
  }
  return health.status >= 500 && health.status !== 501
    ? `answered /health with status ${health.status}`
    : undefined;
};

const canTokenize = (answer: Answer): boolean | null => {
  if ('failed' in answer) {
    return null;
  }
  const count =
    answer.status === 200
      ? (parse(answer.text) as {count?: unknown} | null | undefined)?.count
      : undefined;
  return Number.isInteger(count) && (count as number) > 0;
};

const generate = async (ask: BoundedFetch, url: string, model: string): Promise<Generation> => {
  const chat = {model, messages: [{role: 'user', content: 'Hi'}], max_tokens: 4, stream: true};
  const completion = {model, prompt: 'Hi', max_tokens: 4, stream: true};
  const streams: [string, object][] = [
    ['/v1/chat/completions', {...chat, ...usageWanted}],
    ['/v1/completions', {...completion, ...usageWanted}],
    ['/v1/chat/completions', chat],
    ['/v1/completions', completion],
  ];
  for (const [path, body] of streams) {
    const generation = judge(path, await ask('POST', url + path, body), streamUsage);
    if (generation) {
      return generation;
    }
  }
  const embedding = await ask('POST', `${url}/v1/embeddings`, {model, input: 'Hi'});
  return (
    judge('/v1/embeddings', embedding, embeddingUsage) ?? {
      failed: 'it takes neither chat, nor completions, nor embeddings of this model',
    }
  );
};

/** Undefined: try the next kind. */
const judge = (
  path: string,
  answer: Answer,
  usageOf: (text: string) => Ability | undefined,
): Generation | undefined => {
  if ('failed' in answer) {
    return answer.timedOut
      ? {busy: `${path}: ${answer.failed}`, isSilent: true}
      : {failed: `${path}: ${answer.failed}`};
  }
  if (answer.status === 429) {
    return {busy: `answered ${path} with status 429`, isSilent: false};
  }
  if (answer.status !== 200) {
    return notThisWay.has(answer.status)
      ? undefined
      : {failed: `answered ${path} with status ${answer.status}`};
  }
  const usage = usageOf(answer.text);
  return usage === undefined ? {failed: `answered ${path} with what is no answer`} : {usage};
};

const streamUsage = (text: string) => {
  const chunks = parseChunks(text);
  return chunks && abilityOf(chunks);
};

/** An embedding is never streamed: its one answer is its last chunk. */
const embeddingUsage = (text: string): Ability | undefined => {
  const answer = parse(text) as Record<string, unknown> | null | undefined;
  return Array.isArray(answer?.data) ? (hasUsage(answer) ? 'last-chunk' : 'none') : undefined;
};

const parse = (text: string): unknown => {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
};
