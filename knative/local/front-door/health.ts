/**
Health: what `/healthz` of the front door says: every function's own answer, and the worst of them as the whole's.
*/
export type Health = Readonly<{
  status: 'ok' | 'degraded' | 'unavailable';
  functions: Readonly<Record<string, unknown>>;
}>;

const ranks = ['ok', 'degraded', 'unavailable'] as const;

export const gatherHealth = async ({
  names,
  urlOf,
  timeoutMs = 2_000,
}: {
  names: readonly string[];
  urlOf: (name: string) => string | undefined;
  timeoutMs?: number;
}): Promise<Health> => {
  const answers = await Promise.all(
    names.map(async name => [name, await ask(urlOf(name), timeoutMs)] as const),
  );
  const worst = Math.max(0, ...answers.map(([, {status}]) => ranks.indexOf(status)));
  return {status: ranks[worst] ?? 'unavailable', functions: Object.fromEntries(answers)};
};

type Answer = Readonly<{status: Health['status']; reason?: string}>;

const ask = async (url: string | undefined, timeoutMs: number): Promise<Answer> => {
  if (url === undefined) {
    return {status: 'unavailable', reason: 'the function is away'};
  }
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
