/**
Purge: ends organisations that were deleted and whose time is over. People, names and secrets go, the books stay: `purge_step` of the
schema says what.

In: a daily tick, or an operator who does not wait for it. Out: the organisations that are gone for good. It is done in steps of their own
transactions; what one call does not reach the next does, and whoever calls it can end nothing before its time.
*/
import type {Router} from 'express';
import type {Queryable} from '../../../events/database.ts';
import {SluiceError} from '../../../events/errors.ts';
import {readJson} from '../../../events/json-body.ts';
import type {EventHandler} from '../../../events/serve.ts';
import type {Dependencies} from '../api/dependencies.ts';
import {forgetAudit} from '../audit.ts';

export type Purged = Readonly<{purged: readonly string[]; more: boolean}>;

const stepText = 'select * from purge_step($1)';

export const purgeDue = async (
  client: Queryable,
  {rowsMax = 500, forMs = 20_000, now = () => performance.now()} = {},
): Promise<Purged> => {
  const until = now() + forMs;
  const purged: string[] = [];
  while (now() < until) {
    const {rows} = await client.query<{org: string; done: boolean}>(stepText, [rowsMax]);
    const [step] = rows;
    if (!step) {
      return {purged, more: false};
    }
    if (step.done) {
      purged.push(step.org);
    }
  }
  return {purged, more: true};
};

export const purgeRoutes = ({pool, contract}: Dependencies) =>
  function addPurgeRoutes(router: Router) {
    router.post('/admin/v1/orgs/purge', async (request, response) => {
      contract.body('purgeOrgs', readJson(request));
      response.json(await purgeDue(pool));
    });
  };

/** Of a PingSource. It needs no token: a tick that somebody else sends does what the next one would. */
export const purgeOnTick =
  (client: Queryable, {auditDays = 400} = {}): EventHandler =>
  async ({type}) => {
    if (type !== 'dev.knative.sources.ping') {
      throw new SluiceError('unprocessable_event', 'type: expected dev.knative.sources.ping');
    }
    await purgeDue(client);
    await forgetAudit(client, auditDays);
    return undefined;
  };
