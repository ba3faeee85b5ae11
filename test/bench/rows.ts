/**
Rows: what is measured, and what it may be.

In: the rate of the open loop. Out: each row's load, the targets in the order of a round, and its budgets as ratios.
*/
import type {ModelName} from './models.ts';
import type {TargetName} from './world.ts';

/** The subject's figure ÷ the baseline's is at most `budget`. */
export type Comparison = Readonly<{baseline: TargetName; subject: TargetName; budget: number}>;

export type Row = Readonly<{
  name: string;
  title: string;
  /** CPU a request, CPU a chunk, or what a target adds to the direct call's latency. */
  measures: 'request' | 'chunk' | 'latency';
  model: ModelName;
  connections: number;
  rate?: number;
  stream: boolean;
  /** Tokens of an answer; in a stream each is a chunk. */
  tokens: number;
  targets: readonly TargetName[];
  comparisons: readonly Comparison[];
}>;

/** The delay of the model `distant`, and half of it again for what queues. */
const busySeconds = 0.15;

/** The bound of what everything else is compared with: a bare proxy that is slow would make every ratio good. */
const bareToNginx: Comparison = {baseline: 'nginx', subject: 'bare', budget: 12};
const againstBare = (budget: number): readonly Comparison[] => [
  {baseline: 'bare', subject: 'gateway', budget},
];
const againstPeers: readonly Comparison[] = [
  {baseline: 'portkey', subject: 'gateway', budget: 1 / 6},
  {baseline: 'litellm', subject: 'gateway', budget: 1 / 40},
];

const open = {measures: 'request', model: 'distant', stream: false, tokens: 32} as const;
const saturated = {measures: 'request', model: 'instant', connections: 16} as const;
const plain = {...saturated, stream: false, tokens: 32} as const;
const stream = {...saturated, stream: true, tokens: 16} as const;
const chunks = {
  measures: 'chunk',
  connections: 200,
  stream: true,
  tokens: 256,
  targets: ['bare', 'gateway'],
} as const;

export const rowsAt = (rate: number): readonly Row[] => [
  {
    ...open,
    name: 'request',
    title: `CPU a request, open loop ${rate}/s, upstream 100 ms`,
    // 64 connections carry at most 640 requests a second of 100 ms each.
    connections: Math.max(64, Math.ceil(rate * busySeconds)),
    rate,
    targets: ['nginx', 'bare', 'gateway'],
    comparisons: [...againstBare(2), bareToNginx],
  },
  {
    ...plain,
    name: 'plain',
    title: 'CPU a request at saturation, 16 connections, plain',
    targets: ['bare', 'gateway'],
    comparisons: againstBare(2),
  },
  {
    ...stream,
    name: 'stream',
    title: 'CPU a request at saturation, 16 connections, streams of 16 chunks',
    targets: ['bare', 'gateway'],
    comparisons: againstBare(1.6),
  },
  {
    ...plain,
    name: 'peers',
    title: 'CPU a request at saturation, 16 connections, plain',
    targets: ['portkey', 'litellm', 'gateway'],
    comparisons: againstPeers,
  },
  {
    ...stream,
    name: 'peers-stream',
    title: 'CPU a request at saturation, 16 connections, streams of 16 chunks',
    targets: ['portkey', 'litellm', 'gateway'],
    comparisons: againstPeers,
  },
  {
    ...chunks,
    name: 'chunk',
    title: 'CPU a chunk, 200 streams of 256 chunks, 20 ms apart',
    model: 'paced',
    comparisons: againstBare(1.5),
  },
  {
    ...chunks,
    name: 'chunk-fast',
    title: 'CPU a chunk, 200 streams of 256 chunks, no pause',
    model: 'instant',
    comparisons: againstBare(3),
  },
  {
    ...open,
    name: 'latency',
    title: 'latency added to the direct call, 300/s, upstream 100 ms',
    measures: 'latency',
    connections: 64,
    rate: 300,
    targets: ['direct', 'bare', 'gateway'],
    comparisons: againstBare(2),
  },
];

const bodyBytes = 1_024;

/** A chat of 1 KiB, as JSON. */
export const bodyOf = ({model, stream, tokens}: Pick<Row, 'model' | 'stream' | 'tokens'>) => {
  const bodyWith = (content: string) =>
    JSON.stringify({
      model,
      messages: [
        {role: 'system', content: 'Answer briefly.'},
        {role: 'user', content},
      ],
      max_tokens: tokens,
      temperature: 0.7,
      ...(stream ? {stream: true} : {}),
    });
  return bodyWith('lorem ipsum '.repeat(100).slice(0, bodyBytes - bodyWith('').length));
};
