/**
Org stamp: what an event carries so that a Trigger can tell that it came through the events ingress with a key of its organisation.

In: the key that stamps are made with (`STAMP_KEY`), an organisation's id. Out: a text that nobody can make without that key, and that
is the same for all events of an organisation, because a Trigger compares and does not compute. Who has seen an organisation's
stamp (its own workers, that is) can speak as that organisation and as no other.
*/
import {createHmac} from 'node:crypto';
import {secret} from './config.ts';

/** An extension of CloudEvents. The events ingress takes out what begins with `sluice`, so no producer chooses it. */
export const stampAttribute = 'sluicestamp';

/** As `openssl dgst -sha256 -hmac` takes it: the text's own bytes. */
export const stampKey = secret(32);

export type StampOf = (org: string) => string;

export const createStamps = (key: string): StampOf =>
  function stampOf(org) {
    return createHmac('sha256', key).update(org).digest('hex');
  };
