/**
Open exchanges: which requests run here, so that those of an organisation or a key can be ended at once.

In: exchanges as they begin and end; whom to cut off. Out: they end as any other: the model server is told, what it sent is charged,
the client is told why.
*/

import type {Change} from '../../../events/changes.ts';
import {SluiceError} from '../../../events/errors.ts';
import {leave} from './ends.ts';
import type {Going} from './state.ts';

export const createOpenExchanges = () => {
  const open = new Set<Going>();

  /** Rare, so all are looked at: an index would be paid for by every request. */
  const cut = (subject: string) => {
    for (const going of [...open]) {
      const {key, org} = going.exchange.facts.principal;
      if (key === subject) {
        const error = new SluiceError('unauthorized', 'this key was revoked while the request ran');
        leave(going, 'revoked', error);
      } else if (org === subject) {
        const error = new SluiceError(
          'forbidden',
          'the organisation of this key was suspended while the request ran',
        );
        leave(going, 'suspended', error);
      }
    }
  };

  return {
    add: (going: Going) => void open.add(going),
    delete: (going: Going) => void open.delete(going),
    /** With what `watchChanges` read. Who missed changes for a day runs nothing that was there before them. */
    onChanges(changes: readonly Change[] | 'all') {
      for (const {kind, subject} of changes === 'all' ? [] : changes) {
        if (kind === 'cut') {
          cut(subject);
        }
      }
    },
  };
};

export type OpenExchanges = ReturnType<typeof createOpenExchanges>;
