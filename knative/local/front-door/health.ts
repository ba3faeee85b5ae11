/**
Health: what `/healthz` of the front door says: every function's own answer with the number of its processes, and the worst
of them as the whole's.

To ask wakes nobody: a function that rests is well. One that is being started while its requests are held is degraded.
*/
import type {Gate, Look} from '../activator/gate.ts';

type Status = 'ok' | 'degraded' | 'unavailable';

export type FunctionHealth = Readonly<{status: Status; processes: number; reason?: string}>;

export type Health = Readonly<{
  status: Status;
  functions: Readonly<Record<string, FunctionHealth>>;
}>;

const ranks = ['ok', 'degraded', 'unavailable'] as const;

export const gatherHealth = async ({
  names,
  gateOf,
  timeoutMs = 2_000,
}: {
  names: readonly string[];
  gateOf: (name: string) => Gate | undefined;
  timeoutMs?: number;
}): Promise<Health> => {
  const answers = await Promise.all(
    names.map(async name => [name, await healthOf(gateOf(name), timeoutMs)] as const),
  );
  const worst = Math.max(0, ...answers.map(([, {status}]) => ranks.indexOf(status)));
  return {status: ranks[worst] ?? 'unavailable', functions: Object.fromEntries(answers)};
};

type Answer = Omit<FunctionHealth, 'processes'>;

const healthOf = async (gate: Gate | undefined, timeoutMs: number): Promise<FunctionHealth> => {
  const look = gate?.look();
  const answer = look?.url === undefined ? without(look) : await ask(look.url, timeoutMs);
  const after = gate?.look();
  // While it was asked its process may have been told to end: what counts is how it stands now.
  const isStale = answer.status === 'unavailable' && look?.url !== after?.url;
  return {...(isStale ? without(after) : answer), processes: after?.processes ?? 0};
};

const without = (look: Look | undefined): Answer => {
  if (look?.state === 'resting' || look?.url !== undefined) {
    return {status: 'ok'};
  }
  return look?.held
    ? {status: 'degraded', reason: 'the function is starting'}
    : {status: 'unavailable', reason: 'the function is away'};
};

const ask = async (url: string, timeoutMs: number): Promise<Answer> => {
  try {
    const response = await fetch(`${url}/healthz`, {signal: AbortSignal.timeout(timeoutMs)});
    const answer = (await response.json()) as {status?: string; degraded?: string; reason?: string};
    const reason = answer.reason ?? answer.degraded;
    const status = !response.ok ? 'unavailable' : answer.status === 'degraded' ? 'degraded' : 'ok';
    return reason === undefined ? {status} : {status, reason};
  } catch (error) {
    return {status: 'unavailable', reason: (error as Error).message};
  }
};
