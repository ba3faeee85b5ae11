/**
Claims in PostgreSQL, where there is no Redis: by functions of `schemas/sql/0006-idempotency.sql`, because a gateway may
change no table. Times are the database's.
*/
import type {Queryable} from '../../../events/database.ts';
import type {ClaimStore, Found} from './claim.ts';

type Row = {state: Found['state']; hash: Buffer | null; result: Buffer | null};

export const createPostgresClaims = (client: Queryable): ClaimStore => ({
  async take({id, org, project, hash, fence, holdMs}) {
    const {rows} = await client.query<Row>({
      name: 'claim',
      text: 'select state, hash, result from claim_request($1, $2, $3, $4, $5, $6)',
      values: [bytes(id), org, project, bytes(hash), fence, Math.ceil(holdMs)],
    });
    const {state, hash: stored, result} = rows[0] as Row;
    if (state === 'taken') {
      return {state};
    }
    const found = (stored as Buffer).toString('hex');
    return state === 'running'
      ? {state, hash: found}
      : {state, hash: found, result: result ?? undefined};
  },
  async finish({id, fence, result, keepMs}) {
    const {rows} = await client.query<{done: boolean}>({
      name: 'finish_claim',
      text: 'select finish_claim($1, $2, $3, $4) as done',
      values: [bytes(id), fence, result ?? null, Math.ceil(keepMs)],
    });
    return rows[0]?.done === true;
  },
  async release({id, fence}) {
    const {rows} = await client.query<{done: boolean}>({
      name: 'release_claim',
      text: 'select release_claim($1, $2) as done',
      values: [bytes(id), fence],
    });
    return rows[0]?.done === true;
  },
  // The pool is the gateway's.
  async close() {},
});

const bytes = (hex: string) => Buffer.from(hex, 'hex');
