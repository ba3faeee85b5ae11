/**
Target: the overspend part against any OpenAI-compatible gateway: a thousand clients, a small budget, and a model server that knows what
it really generated.

In: the gateway's URL, a key whose budget is the cap, the model's name there, the prices that the gateway was told. Out: what the model
generated at those prices, beside the cap. The gateway's own figures are not asked: tokens that a model made were paid for, whoever
counted them. Aborted streams cost what was generated until the abort reached the model.
*/
import {setTimeout as wait} from 'node:timers/promises';
import {startSimulatedModel} from '../../../knative/local/simulated-model/server.ts';
import {randomFrom} from '../random.ts';
import {costOf} from './cost.ts';
import {startLoad} from './load.ts';
import {models} from './terms.ts';

export type TargetOptions = Readonly<{
  target: string;
  key: string;
  /** As clients name it, and as the gateway names it to its model server. */
  model: string;
  upstreamModel: string;
  modelPort: number;
  limitNanos: number;
  inputPerMillion: number;
  outputPerMillion: number;
  seed: number;
  clients: number;
  seconds: number;
  say: (line: string) => void;
}>;

export type TargetFigures = Readonly<{
  limit: bigint;
  /** What the model server did, at the prices that were named. */
  worth: bigint;
  promptTokens: number;
  tokensGenerated: number;
  requests: number;
  aborted: number;
  statuses: Readonly<Record<string, number>>;
  unanswered: number;
  most: number;
  seconds: number;
}>;

const readyMs = 300_000;
const idleMs = 15_000;

/** The gateway may have to be told first where the model is. */
const untilAnswered = async ({target, key, model, say}: TargetOptions) => {
  const end = performance.now() + readyMs;
  for (let told = false; ; told = true) {
    const response = await fetch(`${target}/v1/chat/completions`, {
      method: 'POST',
      headers: {authorization: `Bearer ${key}`, 'content-type': 'application/json'},
      body: JSON.stringify({model, max_tokens: 1, messages: [{role: 'user', content: 'Hello.'}]}),
    }).catch(error => ({status: String(error), ok: false}));
    if (response.ok) {
      return;
    }
    if (performance.now() > end) {
      throw new Error(`${target} does not answer for ${model}: ${response.status}`);
    }
    if (!told) {
      say(`waiting until ${target} answers for ${model}; so far: ${response.status}`);
    }
    await wait(1_000);
  }
};

export const runTarget = async (options: TargetOptions): Promise<TargetFigures> => {
  const {target, key, seed, clients, seconds, say} = options;
  const [terms] = models;
  const server = await startSimulatedModel({
    port: options.modelPort,
    host: '0.0.0.0',
    models: [{name: options.upstreamModel, maxModelLength: 8_192}],
    defaultTokens: terms?.tokens,
    tokenDelayMs: terms?.tokenDelayMs,
    firstTokenDelayMs: 100,
  });
  try {
    say(`a model server for ${options.upstreamModel} listens on port ${server.port}`);
    await untilAnswered(options);
    const began = performance.now();
    const load = startLoad({
      urls: [target],
      apiKey: key,
      clients,
      random: randomFrom(seed),
      names: [options.model],
    });
    const isIdle = () => {
      const last = load.outcomes.findLast(({status}) => status === 200);
      return performance.now() - began > idleMs && Date.now() - (last?.endedMs ?? 0) > idleMs;
    };
    while (performance.now() - began < seconds * 1_000 && load.done() < clients && !isIdle()) {
      await wait(200);
    }
    await load.stop();
    for (
      const end = performance.now() + 10_000;
      server.counters().running > 0 && performance.now() < end;
    ) {
      await wait(50);
    }
    const {promptTokens, tokensGenerated, requests, aborted} = server.counters();
    const statuses = Map.groupBy(load.outcomes, ({status}) => String(status));
    return {
      limit: BigInt(options.limitNanos),
      worth: costOf(
        BigInt(promptTokens) * BigInt(options.inputPerMillion) +
          BigInt(tokensGenerated) * BigInt(options.outputPerMillion),
      ),
      ...{promptTokens, tokensGenerated, requests, aborted},
      statuses: Object.fromEntries([...statuses].map(([status, those]) => [status, those.length])),
      unanswered: load.unanswered(),
      most: load.most(),
      seconds: (performance.now() - began) / 1_000,
    };
  } finally {
    await server.close();
  }
};

const share = ({worth, limit}: TargetFigures) => (Number(worth) / Number(limit)) * 100;

/** 1: more was generated than the cap allows; 3: so little that it proves nothing. */
export const targetExitCode = (figures: TargetFigures): 0 | 1 | 3 =>
  figures.worth > figures.limit ? 1 : share(figures) < 95 ? 3 : 0;

export const targetTable = (figures: TargetFigures): string => {
  const dollars = (nanos: bigint) => `$${(Number(nanos) / 1e9).toFixed(6)}`;
  const rows: readonly (readonly [string, string | number])[] = [
    ['seconds', figures.seconds.toFixed(1)],
    ['requests at once, at most', figures.most],
    ['cap', dollars(figures.limit)],
    [
      'worth of what the model generated',
      `${dollars(figures.worth)}, ${share(figures).toFixed(2)} % of the cap`,
    ],
    ['tokens: prompts, generated', `${figures.promptTokens}, ${figures.tokensGenerated}`],
    ['requests at the model, of them aborted', `${figures.requests}, ${figures.aborted}`],
    [
      'answers by status',
      Object.entries(figures.statuses)
        .map(([status, count]) => `${status} ${count}`)
        .join(', '),
    ],
    ['connections without an answer', figures.unanswered],
  ];
  const width = Math.max(...rows.map(([name]) => name.length));
  const verdict = {
    0: 'nothing was spent beyond the cap',
    1: `OVERSPENT by ${dollars(figures.worth - figures.limit)}`,
    3: 'proved nothing: less than 95 % of the cap was used',
  }[targetExitCode(figures)];
  return [...rows.map(([name, value]) => `${name.padEnd(width)}  ${value}`), verdict].join('\n');
};
