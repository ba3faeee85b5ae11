/**
Idempotency: a request that a client named by an `Idempotency-Key` runs once, however often it comes.

In: a request with the header, and how to run it. Out: its answer, or why there is none. While it runs in this process others
with its key and body attach to it and get the same bytes; while it runs in another they are told to come again. Afterwards
its answer is replayed where its project keeps results. A request that failed and was charged nothing leaves its key free.

The ledger knows nothing of this: who attaches or gets a replay makes no request of its own.
*/
import {asSluiceError, type SluiceError} from '../../../events/errors.ts';
import type {Limits} from '../../../events/limits.ts';
import type {Logger} from '../../../events/telemetry.ts';
import type {Principal} from '../../auth/principal.ts';
import type {ClientResponse} from '../exchange/admitted.ts';
import type {Ending} from '../exchange/facts.ts';
import {setRequestId} from '../front/request-id.ts';
import {createBroadcast, createSpace} from './broadcast.ts';
import {inProgress, judge, notKept, reused} from './claim.ts';
import {type Asking, type Entry, join, newEntry, untilAnswered} from './entry.ts';
import {hashOf, readKey, scopeOf} from './scope.ts';
import type {Seal} from './seal.ts';
import type {Held, SharedClaims} from './shared-claims.ts';

export type Count = 'run' | 'attached' | 'replayed' | 'in_progress' | 'not_kept' | 'reused';

/** `onEnd` names the request that ran: a fallback's is not the one that arrived. */
type Run = (
  client: ClientResponse,
  onEnd: (ending: Ending, request: string) => void,
) => Promise<void>;

export type Idempotency = Readonly<{
  answer(asking: Asking, run: Run): Promise<void>;
  isAway(): boolean;
  close(): Promise<void>;
}>;

export const createIdempotency = ({
  claims,
  seal,
  limits,
  logger,
  newFence,
  count = () => {},
}: {
  claims: SharedClaims;
  /** Absent: nothing is kept, whatever projects want. */
  seal: Seal | undefined;
  limits: Pick<
    Limits,
    'requestMs' | 'claimMarginMs' | 'claimKeepMs' | 'resultBytes' | 'resultsBytes'
  >;
  logger: Pick<Logger, 'info'>;
  newFence: () => string;
  count?: (what: Count) => void;
}): Idempotency => {
  const running = new Map<string, Entry>();
  const space = createSpace(limits.resultsBytes);

  /** Nobody joins what is being ended; it is over when its claim is. */
  const close = (scope: string, entry: Entry, ended: Promise<void>) => {
    entry.closing = ended.finally(() => {
      running.delete(scope);
      entry.broadcast.dispose();
    });
  };

  const onEndOf = (scope: string, entry: Entry, held: Held, {keepResults}: Principal) =>
    function onEnd({outcome, tokens}: Ending, request: string) {
      entry.joinable = outcome === 'completed';
      if (outcome !== 'completed' && tokens.inputTokens + tokens.outputTokens === 0) {
        close(scope, entry, held.release());
        return;
      }
      const answer =
        outcome === 'completed' && keepResults ? entry.broadcast.recording() : undefined;
      const result =
        answer &&
        seal?.seal(
          {
            request,
            contentType: String(answer.headers['content-type']),
            body: answer.body,
          },
          scope + entry.hash,
        );
      close(scope, entry, held.finish(result, limits.claimKeepMs));
    };

  const replay = (entry: Entry, {errors}: Asking, scope: string, sealed: Buffer) => {
    const kept = seal?.open(sealed, scope + entry.hash);
    if (!kept) {
      throw notKept();
    }
    const {client} = entry.broadcast;
    setRequestId(client, kept.request, errors);
    client.writeHead(200, {
      'content-type': kept.contentType,
      'content-length': kept.body.length,
      'x-sluice-idempotency': 'replayed',
    });
    client.end(kept.body);
  };

  const lead = async (asking: Asking, scope: string, hash: string, run: Run): Promise<Count> => {
    const {principal, id} = asking;
    const recorder = createBroadcast({space, recordBytesMax: limits.resultBytes});
    const entry = newEntry(asking, hash, recorder);
    // Before anything is waited for: the next one with this key finds it.
    running.set(scope, entry);
    let held: Held | undefined;
    try {
      held = await claims.take({
        id: scope,
        org: principal.org,
        project: principal.project,
        hash,
        fence: newFence(),
        holdMs: limits.requestMs + limits.claimMarginMs,
      });
      const verdict = judge(held.found, hash);
      if (verdict !== 'run') {
        replay(entry, asking, scope, verdict);
        close(scope, entry, Promise.resolve());
        return 'replayed';
      }
      setRequestId(entry.broadcast.client, id, asking.errors);
      await run(entry.broadcast.client, onEndOf(scope, entry, held, principal));
      return 'run';
    } catch (error) {
      entry.joinable = false;
      const isOurs = held?.found.state === 'taken';
      close(scope, entry, isOurs && held ? held.release() : Promise.resolve());
      entry.failed.reject(error);
      throw error;
    }
  };

  const find = async (asking: Asking, run: Run): Promise<Count> => {
    const scope = scopeOf(asking.principal.project, readKey(asking.header));
    const hash = hashOf(asking.route, asking.body);
    for (;;) {
      const entry = running.get(scope);
      if (!entry) {
        return lead(asking, scope, hash, run);
      }
      if (entry.hash !== hash) {
        throw reused();
      }
      if (join(entry, asking)) {
        count('attached');
        await untilAnswered(entry, asking);
        return 'attached';
      }
      if (!entry.closing) {
        throw inProgress();
      }
      await entry.closing;
    }
  };

  return {
    async answer(asking, run) {
      try {
        const what = await find(asking, run);
        if (what !== 'attached') {
          count(what);
        }
        if (what !== 'run') {
          tell(logger, asking, what);
        }
      } catch (thrown) {
        const error = asSluiceError(thrown);
        const refusal = refusals[error.code];
        if (refusal) {
          count(refusal);
        }
        if (error.code === 'result_not_kept') {
          // Clients of OpenAI repeat every 409 unless they are told not to.
          asking.response.setHeader('x-should-retry', 'false');
        }
        throw error;
      }
    },
    isAway: claims.isAway,
    async close() {
      await Promise.all([...running.values()].map(({closing}) => closing));
      await claims.close();
    },
  };
};

const refusals: Partial<Record<SluiceError['code'], Count>> = {
  request_in_progress: 'in_progress',
  result_not_kept: 'not_kept',
  idempotency_key_reused: 'reused',
};

/** One line, as every request has; whose answer it was is told by the header. */
const tell = (logger: Pick<Logger, 'info'>, asking: Asking, what: Count) => {
  const {id, principal, response, caller, arrivedMs} = asking;
  logger.info(
    {
      request: id,
      org: principal.org,
      status: response.statusCode,
      answeredBy: String(response.getHeader('x-request-id') ?? ''),
      durationMs: Math.round(performance.now() - arrivedMs),
      ...caller,
    },
    what,
  );
};
