/**
Scope: what an Idempotency-Key names, and for which request it was used.

In: the header, the project, route and body. Out: digests. What clients write into keys and bodies is theirs: only digests of
it are stored. Two projects never share a key.
*/
import {createHash, hash} from 'node:crypto';
import {SluiceError} from '../../../events/errors.ts';

const printable = /^[\x20-\x7e]{1,255}$/;

export const readKey = (header: string | string[]): string => {
  if (typeof header !== 'string' || !printable.test(header)) {
    throw new SluiceError('bad_request', 'Idempotency-Key is 1 to 255 printable ASCII characters', {
      parameter: 'Idempotency-Key',
    });
  }
  return header;
};

export const scopeOf = (project: string, key: string): string =>
  hash('sha256', `${project}\0${key}`);

export const hashOf = (route: string, body: Buffer): string =>
  createHash('sha256').update(`${route}\0`).update(body).digest('hex');
