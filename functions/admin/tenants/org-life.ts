/**
Org life: suspends an organisation, resumes it, deletes it, restores it.

In: an organisation, whether what runs is to end now. Out: the organisation as it is then. A suspended or deleted one begins no request
from a second after the commit; `now` also ends its running ones, on every gateway. Deleting marks: until the purge is due, after
the retention, everything can be restored as it was; then no more, whether the purge has come by or not.
*/
import type {Request, Response, Router} from 'express';
import type pg from 'pg';
import {SluiceError} from '../../../events/errors.ts';
import {requireMatch} from '../../../events/etag.ts';
import {makeEvent} from '../../../events/event.ts';
import {readJson} from '../../../events/json-body.ts';
import {insertIntoOutbox, type OutboxRow} from '../../../events/outbox.ts';
import type {EventData} from '../../../events/types.ts';
import {answerOnce, sendOnce} from '../api/answer-once.ts';
import type {Dependencies} from '../api/dependencies.ts';
import {idIn} from '../api/tenancy.ts';
import {type OrgRow, orgView, refuseDeletedOrg} from './orgs.ts';

const base = '/admin/v1/orgs/:org';
const retentionDays = 30;
const dayMs = 86_400_000;
const lockText = 'select * from orgs where id = $1 for no key update';
const suspendText = `
  update orgs set suspended_at = coalesce(suspended_at, $2), suspended_reason = coalesce($3, suspended_reason)
  where id = $1 returning *`;
const resumeText =
  'update orgs set suspended_at = null, suspended_reason = null where id = $1 returning *';
/** Once the retention is over the purge may have begun, and what it took away nobody brings back. */
const deleteText = `
  update orgs set deleted_at = $2, purge_after = case when purge_after <= now() then purge_after else $3 end
  where id = $1 returning *`;
const restoreText = `
  update orgs set deleted_at = null, purge_after = null
  where id = $1 and (purge_after is null or purge_after > now()) returning *`;

type Step = (client: pg.PoolClient, before: OrgRow) => Promise<OrgRow>;

const cut = (client: pg.PoolClient, org: string) => client.query('select cut_running($1)', [org]);

const change = async (client: pg.PoolClient, text: string, values: unknown[]) =>
  (await client.query<OrgRow>(text, values)).rows[0] as OrgRow;

export const orgLifeRoutes = ({contract, tenancy, now}: Dependencies) =>
  function addOrgLifeRoutes(router: Router) {
    /** What is done to an organisation is done under its lock, and to one that was purged nothing is. */
    const take = async (request: Request, response: Response, step: Step) => {
      const work = answerOnce(request, async (client, org) => {
        const before = await change(client, lockText, [org]);
        await requireMatch(request, async () => orgView(before));
        if (before.purged_at) {
          throw new SluiceError('conflict', 'the organisation is purged');
        }
        return orgView(await step(client, before));
      });
      sendOnce(request, response, await tenancy(request).owning('org', idIn(request, 'org'), work));
    };

    router.post(`${base}/suspend`, async (request, response) => {
      const wanted = contract.body<{now?: boolean; reason?: string}>(
        'suspendOrg',
        readJson(request),
      );
      await take(request, response, async (client, before) => {
        refuseDeletedOrg(orgView(before));
        const {id, suspended_at: was} = before;
        const after = await change(client, suspendText, [id, now(), wanted.reason ?? null]);
        if (wanted.now) {
          await cut(client, id);
        }
        const reason = wanted.reason === undefined ? {} : {reason: wanted.reason};
        await insertIntoOutbox(
          client,
          was
            ? []
            : [
                announce('suspended', id, after.suspended_at as Date, {
                  now: wanted.now === true,
                  ...reason,
                }),
              ],
        );
        return after;
      });
    });

    router.post(`${base}/resume`, async (request, response) => {
      contract.body('resumeOrg', readJson(request));
      await take(request, response, async (client, before) => {
        refuseDeletedOrg(orgView(before));
        const {id, suspended_at: was} = before;
        const after = await change(client, resumeText, [id]);
        await insertIntoOutbox(client, was ? [announce('resumed', id, now(), {})] : []);
        return after;
      });
    });

    router.delete(base, async (request, response) => {
      const {retentionDays: days = retentionDays} = contract.query<{retentionDays?: number}>(
        'deleteOrg',
        request.query,
      );
      await take(request, response, async (client, {id, deleted_at: was}) => {
        const deletedAt = was ?? now();
        const purgeAfter = new Date(deletedAt.getTime() + days * dayMs);
        const after = await change(client, deleteText, [id, deletedAt, purgeAfter]);
        await cut(client, id);
        await insertIntoOutbox(
          client,
          was ? [] : [announce('deleted', id, deletedAt, {purgeAfter: purgeAfter.toISOString()})],
        );
        return after;
      });
    });

    router.post(`${base}/restore`, async (request, response) => {
      contract.body('restoreOrg', readJson(request));
      await take(request, response, async (client, {id, deleted_at: was}) => {
        const after: OrgRow | undefined = await change(client, restoreText, [id]);
        if (!after) {
          throw new SluiceError('conflict', 'the retention is over, so the organisation is purged');
        }
        await insertIntoOutbox(client, was ? [announce('restored', id, now(), {})] : []);
        return after;
      });
    });
  };

type Life = 'suspended' | 'resumed' | 'deleted' | 'restored';

const announce = <What extends Life>(
  what: What,
  org: string,
  time: Date,
  data: Omit<EventData[`dev.sluice.org.${What}.v1`], 'org'>,
): OutboxRow => ({
  destination: 'broker:default',
  event: makeEvent({
    type: `dev.sluice.org.${what}.v1`,
    from: 'admin',
    id: `${org}/${what}/${time.toISOString()}`,
    orgid: org,
    subject: org,
    time,
    data: {org, ...data} as unknown as EventData[`dev.sluice.org.${What}.v1`],
  }),
});
