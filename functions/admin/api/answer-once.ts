/**
Answer once: what a client named by an `Idempotency-Key` is done once and answered the same, however often it comes.

In: a request, the work of its transaction. Out: the work's view, or the one that the same request had before. The claim on the key,
what the work does and the answer are one transaction: who dies in between leaves nothing, so that it can be asked again. A key
counts for who asks, 24 hours long. A secret is in no answer that is kept: a replay says `secretShown: false` in its place.
*/
import {hash} from 'node:crypto';
import type {Request, Response} from 'express';
import type pg from 'pg';
import {accessOf} from '../../../events/access/access.ts';
import {SluiceError} from '../../../events/errors.ts';
import {sendResource} from '../../../events/etag.ts';
import {bodyOf} from '../../../events/json-body.ts';

export type Answered<View> = Readonly<{view: View; replayed: boolean; secret?: Secret | undefined}>;
/** What is shown once: the names of fields. */
type Secret = string | readonly string[];
type Work<View> = (client: pg.PoolClient, org: string) => Promise<View>;
type Claim = Readonly<{
  state: 'new' | 'known' | 'running' | 'full';
  fingerprint: Buffer | null;
  answer: unknown;
}>;

/** How many answers are kept of one who asks. */
const answersMax = 10_000;
const keep = '24 hours';
const header = 'Idempotency-Key';

const sha256 = (...parts: ReadonlyArray<string | Buffer>) =>
  hash(
    'sha256',
    Buffer.concat(parts.map(part => Buffer.from(hash('sha256', part, 'buffer')))),
    'buffer',
  );

const claimText = {name: 'claim-answer', text: 'select * from claim_answer($1, $2, $3)'};
const keepText = {name: 'keep-answer', text: 'select keep_answer($1, $2, $3, $4, $5)'};

/** Gives the work of a transaction, to be run by a `Tenancy`. */
export const answerOnce = <View extends object | undefined>(
  request: Request,
  work: Work<View>,
  {secret}: {secret?: Secret} = {},
) => {
  const key = keyOf(request);
  return async function once(client: pg.PoolClient, org = ''): Promise<Answered<View>> {
    if (key === undefined) {
      return {view: await work(client, org), replayed: false, secret};
    }
    const {actor, operation} = accessOf(request);
    const who = sha256(actor.kind, actor.id);
    const id = sha256(who, key);
    const fingerprint = sha256(operation, request.originalUrl, bodyOf(request));
    const {rows} = await client.query<Claim>({...claimText, values: [id, who, answersMax]});
    const claim = rows[0] as Claim;
    if (claim.state === 'known' && claim.fingerprint?.equals(fingerprint)) {
      return {view: (claim.answer ?? undefined) as View, replayed: true, secret};
    }
    if (claim.state !== 'new') {
      throw refusal(claim.state);
    }
    const view = await work(client, org);
    const answer = view === undefined ? null : JSON.stringify(withoutSecret(view, secret));
    await client.query({...keepText, values: [id, who, fingerprint, answer, keep]});
    return {view, replayed: false, secret};
  };
};

/** Sends it: 204 where there is no view. */
export const sendOnce = <View extends object | undefined>(
  request: Request,
  response: Response,
  {view, replayed, secret}: Answered<View>,
  {status = 200, location}: {status?: number; location?: (view: View & object) => string} = {},
) => {
  if (replayed) {
    response.set('idempotency-replayed', 'true');
  }
  if (view === undefined) {
    response.status(204).end();
    return;
  }
  if (location) {
    response.location(location(view));
  }
  sendResource(request, response, view, {status, ...(secret === undefined ? {} : {secret})});
};

const withoutSecret = (view: object, secret: Secret | undefined) =>
  secret === undefined
    ? view
    : {
        ...Object.fromEntries(
          Object.entries(view).filter(([name]) => ![secret].flat().includes(name)),
        ),
        secretShown: false,
      };

const keyOf = ({headers}: Request): string | undefined => {
  const key = headers['idempotency-key'];
  if (key !== undefined && !/^[\x20-\x7e]{1,255}$/.test(String(key))) {
    throw new SluiceError(
      'bad_request',
      `${header}: expected 1 to 255 printable ASCII characters`,
      {
        parameter: header,
      },
    );
  }
  return key === undefined ? undefined : String(key);
};

const refusal = (state: Exclude<Claim['state'], 'new'>) => {
  if (state === 'running') {
    return new SluiceError('request_in_progress', `a request with this ${header} is running`, {
      retryAfterSeconds: 1,
      parameter: header,
    });
  }
  return state === 'full'
    ? new SluiceError(
        'too_many_requests',
        `expected at most ${answersMax} requests with an ${header} in ${keep}`,
        {retryAfterSeconds: 3_600, parameter: header},
      )
    : new SluiceError(
        'idempotency_key_reused',
        `the ${header} was used for another operation, path or body`,
        {parameter: header},
      );
};
