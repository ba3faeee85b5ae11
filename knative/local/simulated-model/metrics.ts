/**
Metrics: counts what each model has done, and renders it under vLLM's names for Prometheus.

In: the life of each request (begun, prompt read, tokens generated and sent, ended or aborted). Out: numbers and text.
A token counts as generated when it exists and as sent when it was written to a connection that was still open both ways; the
difference is what an abort wasted. Nothing here goes down but `running`. A request that its client named in `x-request-id` is
also counted by itself, the newest so many of them.
*/
import type {Finish} from './plan.ts';

export type ModelCounters = {
  requests: number;
  running: number;
  promptTokens: number;
  tokensGenerated: number;
  tokensSent: number;
  stopped: number;
  lengthened: number;
  aborted: number;
  failed: number;
};

/** What one request was given. */
export type RequestCounters = {promptTokens: number; tokensGenerated: number; tokensSent: number};

export type Counters = Readonly<ModelCounters> & {
  readonly models: Readonly<Record<string, Readonly<ModelCounters>>>;
};

/** `finish`, `fail` and `abort` end a life; only the first of them counts. */
export type Life = Readonly<{
  prompt: (tokens: number) => void;
  generated: (tokens: number) => void;
  sent: (tokens: number) => void;
  finish: (reason: Finish) => void;
  fail: () => void;
  abort: () => void;
  ended: () => boolean;
}>;

const zero = (): ModelCounters => ({
  requests: 0,
  running: 0,
  promptTokens: 0,
  tokensGenerated: 0,
  tokensSent: 0,
  stopped: 0,
  lengthened: 0,
  aborted: 0,
  failed: 0,
});

const begin = (counters: ModelCounters, own: RequestCounters): Life => {
  let ended = false;
  const end = (how: 'stopped' | 'lengthened' | 'aborted' | 'failed') => {
    if (ended) return;
    ended = true;
    counters.running--;
    counters[how]++;
  };
  counters.requests++;
  counters.running++;
  return {
    prompt: tokens => {
      counters.promptTokens += tokens;
      own.promptTokens += tokens;
    },
    generated: tokens => {
      counters.tokensGenerated += tokens;
      own.tokensGenerated += tokens;
    },
    sent: tokens => {
      counters.tokensSent += tokens;
      own.tokensSent += tokens;
    },
    finish: reason => end(reason === 'stop' ? 'stopped' : 'lengthened'),
    fail: () => end('failed'),
    abort: () => end('aborted'),
    ended: () => ended,
  };
};

/** A test that cuts streams looks at some thousands. */
const countedRequestsMax = 10_000;

type Line = readonly [labels: string, value: number];

const family = (name: string, type: 'counter' | 'gauge', help: string, lines: readonly Line[]) =>
  [
    `# HELP ${name} ${help}`,
    `# TYPE ${name} ${type}`,
    ...lines.map(([labels, value]) => `${name}{${labels}} ${value}`),
    '',
  ].join('\n');

const labelValue = (text: string) =>
  text.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n');

const render = (models: ReadonlyMap<string, ModelCounters>, startedAt: number) => {
  const all = [...models].map(
    ([name, counters]) => [`engine="0",model_name="${labelValue(name)}"`, counters] as const,
  );
  const each = (read: (counters: ModelCounters) => number) =>
    all.map(([labels, counters]): Line => [labels, read(counters)]);
  const finished = all.flatMap(([labels, counters]): Line[] => [
    [`${labels},finished_reason="stop"`, counters.stopped],
    [`${labels},finished_reason="length"`, counters.lengthened],
    [`${labels},finished_reason="abort"`, counters.aborted],
  ]);
  return (
    // By this a reader tells that the counters began anew.
    '# TYPE process_start_time_seconds gauge\n' +
    `process_start_time_seconds ${startedAt}\n` +
    family(
      'vllm:num_requests_running',
      'gauge',
      'Requests in the model now.',
      each(c => c.running),
    ) +
    family(
      'vllm:num_requests_waiting',
      'gauge',
      'Always 0: nothing queues here.',
      each(() => 0),
    ) +
    family(
      'vllm:prompt_tokens_total',
      'counter',
      'Tokens read.',
      each(c => c.promptTokens),
    ) +
    family(
      'vllm:generation_tokens_total',
      'counter',
      'Tokens made.',
      each(c => c.tokensGenerated),
    ) +
    family('vllm:request_success_total', 'counter', 'Requests by how they ended.', finished) +
    family(
      'simulated_tokens_generated_total',
      'counter',
      'Tokens made, received or not.',
      each(c => c.tokensGenerated),
    ) +
    family(
      'simulated_tokens_sent_total',
      'counter',
      'Tokens written to an open connection.',
      each(c => c.tokensSent),
    ) +
    family(
      'simulated_requests_aborted_total',
      'counter',
      'Requests whose client went away.',
      each(c => c.aborted),
    )
  );
};

/** `startedAt` in seconds since 1970. */
export const createMetrics = (names: readonly string[], startedAt = Date.now() / 1000) => {
  const models = new Map(names.map(name => [name, zero()]));
  const requests = new Map<string, RequestCounters>();
  const countersOf = (request: string | undefined): RequestCounters => {
    const own = {promptTokens: 0, tokensGenerated: 0, tokensSent: 0};
    if (request !== undefined) {
      if (requests.size >= countedRequestsMax) requests.delete(requests.keys().next().value ?? '');
      requests.set(request, own);
    }
    return own;
  };
  return {
    begin: (model: string, request?: string) =>
      begin(models.get(model) ?? zero(), countersOf(request)),
    /** By the name that its client gave it. */
    request: (name: string): Readonly<RequestCounters> | undefined => requests.get(name),
    text: () => render(models, startedAt),
    counters: (): Counters => {
      const sum = zero();
      for (const counters of models.values()) {
        for (const key of Object.keys(sum) as (keyof ModelCounters)[]) sum[key] += counters[key];
      }
      const copies = [...models].map(([name, counters]) => [name, {...counters}]);
      return {...sum, models: Object.fromEntries(copies)};
    },
  };
};

export type Metrics = ReturnType<typeof createMetrics>;
