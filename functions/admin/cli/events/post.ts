/**
Post: events to `POST /events`, in requests that the server takes.

In: events, a URL, an API key. Out: how many went in how many requests. What may be tried again is, by what `retry-after` says; what is
refused ends it with the line that is at fault and how to go on after it. All of a request is stored or nothing of it.
*/
import {type Message, toBatch, toBinary, toStructured} from '../../../../events/codec.ts';
import {exitCodes, Failure} from '../shell/failure.ts';
import type {Lined} from './draft.ts';

export type Mode = 'structured' | 'binary';
export type Target = Readonly<{url: string; apiKey: string}>;
type Problem = Readonly<{code?: string; detail?: string; title?: string}>;

const batchEvents = 500;
/** Below what a request may have, 1 MiB, because what stands between events counts too. */
const batchBytes = 960 * 1024;
const triesMax = 6;
const waitMaxMs = 10_000;
/** Statuses that say that what was sent is wrong. */
const mistakes = new Set([400, 413, 415, 422]);

/** Runs of events that fit into a request. */
export const toBatches = (events: readonly Lined[]): Lined[][] => {
  const batches: Lined[][] = [];
  let bytes = Number.POSITIVE_INFINITY;
  for (const one of events) {
    const size = toStructured(one.event).body.length + 1;
    const last = batches.at(-1);
    if (!last || last.length >= batchEvents || bytes + size > batchBytes) {
      batches.push([one]);
      bytes = size;
    } else {
      last.push(one);
      bytes += size;
    }
  }
  return batches;
};

export const post = async (
  target: Target,
  events: readonly Lined[],
  {
    mode = 'structured',
    onSent = () => {},
    sleep = ms => new Promise(resolve => setTimeout(resolve, ms)),
    timeoutMs = 30_000,
  }: {
    mode?: Mode;
    onSent?: (count: number) => void;
    sleep?: (ms: number) => Promise<unknown>;
    timeoutMs?: number;
  } = {},
): Promise<{requests: number}> => {
  let sent = 0;
  const batches = mode === 'binary' ? events.map(one => [one]) : toBatches(events);
  for (const batch of batches) {
    try {
      await postOne(target, toMessage(batch, mode), {sleep, timeoutMs});
    } catch (error) {
      throw sayWhere(error, {batch, sent, of: events.length});
    }
    sent += batch.length;
    onSent(sent);
  }
  return {requests: batches.length};
};

const toMessage = (batch: readonly Lined[], mode: Mode): Message => {
  const [first] = batch as [Lined];
  if (mode === 'binary') {
    return toBinary(first.event);
  }
  return batch.length === 1 ? toStructured(first.event) : toBatch(batch.map(({event}) => event));
};

const postOne = async (
  {url, apiKey}: Target,
  {headers, body}: Message,
  {sleep, timeoutMs}: {sleep: (ms: number) => Promise<unknown>; timeoutMs: number},
) => {
  for (let tries = 1; ; tries += 1) {
    const response = await fetch(`${url}/events`, {
      method: 'POST',
      redirect: 'manual',
      headers: {...headers, authorization: `Bearer ${apiKey}`},
      body: new Uint8Array(body),
      signal: AbortSignal.timeout(timeoutMs),
    }).catch(error => {
      const {cause, message} = error as Error & {cause?: {code?: string}};
      throw new Failure('unreachable', `${url} does not answer (${cause?.code ?? message})`, error);
    });
    const text = await response.text();
    if (response.status === 202) {
      return;
    }
    if ((response.status !== 429 && response.status !== 503) || tries === triesMax) {
      throw toFailure(response.status, text, url);
    }
    const seconds = Number(response.headers.get('retry-after') ?? 1);
    await sleep(Math.min(Math.max(seconds, 0.2) * 1_000, waitMaxMs));
  }
};

/** What the server says never has the data of an event in it. */
const toFailure = (status: number, text: string, url: string) => {
  const problem = ((): Problem => {
    try {
      return JSON.parse(text) as Problem;
    } catch {
      return {};
    }
  })();
  const detail = problem.detail ?? problem.title;
  if (problem.code === undefined || detail === undefined) {
    const hint = 'is this the URL of Sluice?';
    return new Failure(
      'failed',
      `${url}/events answered ${status} with no answer of Sluice: ${hint}`,
    );
  }
  if (status === 401) {
    return new Failure('refused', `the API key is not one of ${url}, or was revoked`);
  }
  return new Failure(
    status === 403 ? 'refused' : mistakes.has(status) ? 'usage' : 'failed',
    detail,
  );
};

/** `event 3: …` of a batch becomes its line. */
const sayWhere = (
  error: unknown,
  {batch, sent, of}: {batch: readonly Lined[]; sent: number; of: number},
): unknown => {
  if (!(error instanceof Failure) || of === 1) {
    return error;
  }
  const index = /^event (\d+): /.exec(error.message);
  const [first] = batch as [Lined];
  const line = batch[Number(index?.[1] ?? 0)]?.line ?? first.line;
  const what = index ? error.message.slice(index[0].length) : error.message;
  const next = `${sent} of ${of} were sent; --after ${first.line - 1} goes on from there`;
  const kinds = Object.keys(exitCodes) as (keyof typeof exitCodes)[];
  const kind = kinds.find(name => exitCodes[name] === error.exitCode) ?? 'failed';
  return new Failure(kind, `line ${line}: ${what}; ${next}`, error);
};
