/**
Key view: a key as it is stored and as it is shown. No view has a secret; of the one before the last rotation it tells until when it is
good.
*/
import type pg from 'pg';
import {SluiceError} from '../../../events/errors.ts';
import {type RateColumns, rateView} from '../../../events/rates.ts';

export type KeyRow = RateColumns & {
  max_output_tokens: number | null;
  id: string;
  org_id: string;
  project_id: string;
  public_id: string;
  name: string;
  models: string[] | null;
  environments: string[] | null;
  scopes: string[] | null;
  expires_at: Date | null;
  revoked_at: Date | null;
  rotated_at: Date | null;
  previous_expires_at: Date | null;
  last_used_at: Date | null;
  created_at: Date;
};

/** Everything but the digests of secrets. */
export const keyRows = `
  select k.id, k.org_id, k.project_id, k.public_id, k.name, k.models, k.environments, k.scopes, k.expires_at, k.revoked_at,
         k.rotated_at, k.previous_expires_at, u.last_used_at, k.created_at, k.requests_per_minute, k.tokens_per_minute,
         k.parallel_requests, k.max_output_tokens
  from keys k left join key_uses u on u.org_id = k.org_id and u.key_id = k.id`;

const findText = `${keyRows} where k.id = $1`;
const lockText = `${findText} for no key update of k`;

export const findKey = async (
  client: pg.PoolClient,
  id: string,
  {locked = false} = {},
): Promise<KeyRow> => {
  const {rows} = await client.query<KeyRow>(locked ? lockText : findText, [id]);
  return rows[0] as KeyRow;
};

/** What can no more be used is not changed either: who would read the change might take it for one that works. */
export const refuseRevoked = ({revoked_at}: KeyRow) => {
  if (revoked_at !== null) {
    throw new SluiceError('conflict', 'the key is revoked; make another');
  }
};

const present = <Value>(name: string, value: Value | null | undefined) =>
  value === null || value === undefined ? {} : {[name]: value};

export const keyView = (row: KeyRow, now: Date) => ({
  id: row.id,
  publicId: row.public_id,
  org: row.org_id,
  project: row.project_id,
  name: row.name,
  ...present('models', row.models),
  ...present('environments', row.environments),
  ...present('scopes', row.scopes),
  ...present('expiresAt', row.expires_at),
  ...present('revokedAt', row.revoked_at),
  ...present('rotatedAt', row.rotated_at),
  ...(row.previous_expires_at && row.previous_expires_at > now && row.revoked_at === null
    ? {previousExpiresAt: row.previous_expires_at}
    : {}),
  ...present('lastUsedAt', row.last_used_at),
  ...rateView(row),
  ...present('maxOutputTokens', row.max_output_tokens),
  createdAt: row.created_at,
});
