/**
Rows: what is measured, and what it may be.

In: the rate of the open loop. Out: each row's load, the targets in the order of a round, and its budget as a ratio.
*/
import type {ModelName, TargetName} from './world.ts';

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
  /** The gateway's figure ÷ bare's. */
  budget: number;
}>;

/** The delay of the model `distant`, and half of it again for what queues. */
const busySeconds = 0.15;

export const bareToNginxMax = 12;

export const rowsAt = (rate: number): readonly Row[] => [
  {
    name: 'request',
    title: `CPU a request, open loop ${rate}/s, upstream 100 ms`,
    measures: 'request',
    model: 'distant',
    // 64 connections carry at most 640 requests a second of 100 ms each.
    connections: Math.max(64, Math.ceil(rate * busySeconds)),
    rate,
    stream: false,
    tokens: 32,
    targets: ['nginx', 'bare', 'gateway'],
    budget: 2,
  },
  {
    name: 'plain',
    title: 'CPU a request at saturation, 16 connections, plain',
    measures: 'request',
    model: 'instant',
    connections: 16,
    stream: false,
    tokens: 32,
    targets: ['bare', 'gateway'],
    budget: 2,
  },
  {
    name: 'stream',
    title: 'CPU a request at saturation, 16 connections, streams of 16 chunks',
    measures: 'request',
    model: 'instant',
    connections: 16,
    stream: true,
    tokens: 16,
    targets: ['bare', 'gateway'],
    budget: 1.6,
  },
  {
    name: 'chunk',
    title: 'CPU a chunk, 50 streams of 128 chunks, 20 ms apart',
    measures: 'chunk',
    model: 'paced',
    connections: 50,
    stream: true,
    tokens: 128,
    targets: ['bare', 'gateway'],
    budget: 1.5,
  },
  {
    name: 'latency',
    title: 'latency added to the direct call, 300/s, upstream 100 ms',
    measures: 'latency',
    model: 'distant',
    connections: 64,
    rate: 300,
    stream: false,
    tokens: 32,
    targets: ['direct', 'bare', 'gateway'],
    budget: 2,
  },
];

const bodyBytes = 1_024;

/** A chat of 1 KiB, as JSON. */
export const bodyOf = ({model, stream, tokens}: Row): string => {
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
