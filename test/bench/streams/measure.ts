/**
Streams: what so many open streams cost in memory, and whether each token comes in its time.

In: the world, how many, for how long. Out: the finding, against its budget. Memory is looked at every second from the moment all are
open; what counts is the highest.
*/
import {once} from 'node:events';
import {setTimeout as wait} from 'node:timers/promises';
import {type Child, startChild} from '../child.ts';
import {cpuMsOf, residentBytesOf} from '../cpu.ts';
import {rounded} from '../figures.ts';
import {bodyOf} from '../rows.ts';
import type {World} from '../world.ts';
import {judgeStreams, type StreamsFinding} from './judge.ts';
import type {Command, Count, Plan} from './load.ts';

/** A stream ends within the longest time of a request, and another follows. */
const tokensMax = 300;
const openedPerSecond = 100;
const paceMs = 1_000;
const lateMs = 1_000;
const sampleMs = 1_000;
/** Those that were opened last have their second token, those before them their compiled code. */
const settleMs = 5_000;
const mebibyte = 1024 * 1024;

const asking =
  ({process: child}: Child) =>
  async <Answer>(command: Command): Promise<Answer> => {
    const answered = once(child, 'message');
    child.send(command);
    const [answer] = await answered;
    return answer as Answer;
  };

export const measureStreams = async (
  world: World,
  {streams, minutes, say}: {streams: number; minutes: number; say: (line: string) => void},
): Promise<StreamsFinding> => {
  const target = world.target('gateway', 'slow');
  const load = await startChild({program: 'test/bench/streams/load.ts'});
  try {
    const ask = asking(load);
    const {pid} = world.gateway;
    const idle = residentBytesOf(pid);
    const plan: Plan = {
      url: `${target?.url}/v1/chat/completions`,
      headers: {...target?.headers, 'content-type': 'application/json'},
      body: bodyOf({model: 'slow', stream: true, tokens: tokensMax}),
      streams,
      openedPerSecond,
      paceMs,
      lateMs,
    };
    load.process.send({kind: 'start', plan} satisfies Command);
    await wait((streams / openedPerSecond) * 1_000 + settleMs);
    const opening = await ask<Count>({kind: 'mark'});
    say(
      `streams: ${opening.open} open, ${opening.failed} failed ${JSON.stringify(opening.failures)}, ${resident(pid)} MiB`,
    );
    const [startedMs, cpuMs] = [performance.now(), cpuMsOf(pid)];
    const counts: Count[] = [];
    const memory: number[] = [];
    while (performance.now() - startedMs < minutes * 60_000) {
      await wait(sampleMs);
      counts.push(await ask<Count>({kind: 'mark'}));
      memory.push(residentBytesOf(pid));
      if (memory.length % 30 === 0) {
        say(`streams: ${memory.length} s, ${counts.at(-1)?.open} open, ${resident(pid)} MiB`);
      }
    }
    const cpuShare = (cpuMsOf(pid) - cpuMs) / (performance.now() - startedMs);
    await ask({kind: 'stop'});
    return judgeStreams({streams, minutes, idle, memory, counts, cpuShare});
  } finally {
    await load.stop();
  }
};

const resident = (pid: number) => rounded(residentBytesOf(pid) / mebibyte, 0);
