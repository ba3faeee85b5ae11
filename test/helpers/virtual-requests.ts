/**
Virtual requests: what becomes of each request in a budget world, from its holds to its acknowledged result.

Intent and result are kept by their process, sent to the log, acknowledged; each step may come late or never. A request ends
with one result, whatever way it ends.
*/
import type {Event} from '../../events/event.ts';
import {uuidv7} from '../../events/uuid.ts';
import type {Taken} from '../../functions/budget/leases/account.ts';
import {amountsOf} from '../../functions/budget/leases/lease-book.ts';
import type {WindowRow} from '../../functions/budget/store.ts';
import {finished, price, started} from './budget.ts';

/** One nano-USD a token, so that every budget is charged the same number. */
export const cheap = {...price, inputPerMillion: 1_000_000, outputPerMillion: 1_000_000};
export const nothing = {inputTokens: 0, outputTokens: 0};
export const requestMs = 600_000;
const policies = ['prompt', 'hold', 'waive'] as const;

export type Request<Process> = {
  id: string;
  process: Process;
  taken: Taken;
  promptTokens: number;
  intent: Event;
  intentState: 'kept' | 'sent' | 'acknowledged' | 'failed';
  result: Event | undefined;
  resultState: 'none' | 'kept' | 'sent' | 'acknowledged' | 'lost';
  amounts: readonly number[];
  deadlineMs: number;
  /** Reported above its hold. */
  isLie: boolean;
  /** Written when its lease was over, by a process that had not looked since. */
  isLate: boolean;
};

export const createRequests = <Process>({
  windows,
  append,
  now,
}: {
  windows: ReadonlyMap<string, WindowRow>;
  append: (event: Event) => void;
  now: () => number;
}) => {
  const requests: Request<Process>[] = [];
  /** What each request that has a result costs. */
  const results = new Map<string, number>();

  const usesOf = (taken: Taken, amounts?: readonly number[]) =>
    taken.holds.map(({window, lease, hold}, index) => ({
      window: windows.get(window) as WindowRow,
      lease,
      hold,
      ...(amounts ? {amount: amounts[index] ?? 0} : {}),
    }));

  const finish = (request: Request<Process>, tokens: typeof nothing) => {
    if (request.result) {
      return;
    }
    const used = {...tokens, cachedInputTokens: 0};
    const cost = tokens.inputTokens + tokens.outputTokens;
    request.amounts = amountsOf(request.taken.holds, cheap, used);
    results.set(request.id, cost);
    request.result = finished(request.id, usesOf(request.taken, request.amounts), {
      ...used,
      costNanos: cost,
    });
    request.resultState = 'kept';
  };

  return {
    requests,
    results,
    finish,
    begin(process: Process, taken: Taken, promptTokens: number, policy: number) {
      const id = uuidv7(now());
      const deadlineMs = now() + requestMs;
      requests.push({
        id,
        process,
        taken,
        promptTokens,
        intent: started(id, usesOf(taken), {
          deadline: new Date(deadlineMs).toISOString(),
          promptBytes: promptTokens * 4,
          unsettledPolicy: policies[policy % 3],
        }),
        intentState: 'kept',
        result: undefined,
        resultState: 'none',
        amounts: [],
        deadlineMs,
        isLie: false,
        isLate: false,
      });
    },
    send(request: Request<Process>, what: 'intent' | 'result') {
      request.isLate ||= request.intentState !== 'acknowledged' && !request.taken.usable();
      if (what === 'intent' && request.intentState === 'kept') {
        append(request.intent);
        request.intentState = 'sent';
      }
      if (what === 'result' && request.result && request.resultState === 'kept') {
        append(request.result);
        request.resultState = 'sent';
      }
    },
    acknowledge(request: Request<Process>) {
      if (request.intentState === 'sent') {
        request.intentState = 'acknowledged';
        // As the exchange does: nothing goes out that the lease may no longer cover.
        if (!request.taken.usable()) {
          finish(request, nothing);
        }
      }
      if (request.resultState === 'sent') {
        request.resultState = 'acknowledged';
        request.taken.settle(request.amounts);
      }
    },
  };
};
