/**
Dead letters: lists an organisation's events that could not be delivered. Without their content, which may be anybody's.
*/
import type {Router} from 'express';
import type {Dependencies} from './dependencies.ts';

type Row = {
  id: string;
  subscription: string;
  destination: string;
  type: string | null;
  source: string | null;
  event_id: string | null;
  attempts: number;
  reason: string;
  status: number | null;
  dead_at: Date;
  redriven_at: Date | null;
};

const text = `
  select id, subscription, destination, type, source, event_id, attempts, reason, status, dead_at, redriven_at
  from dead_letters where org_id = $1 order by dead_at desc, id desc limit $2`;

export const deadLetterRoutes = ({contract, tenancy}: Dependencies) =>
  function addDeadLetterRoutes(router: Router) {
    router.get('/admin/v1/dead-letters', async (request, response) => {
      const {org, limit} = contract.query<{org: string; limit: number}>(
        'listDeadLetters',
        request.query,
      );
      const {rows} = await tenancy.owning('org', org, client =>
        client.query<Row>(text, [org, limit + 1]),
      );
      response.json({
        data: rows.slice(0, limit).map(toView),
        ...(rows.length > limit ? {truncated: true} : {}),
      });
    });
  };

const toView = (row: Row) =>
  withoutNull({
    id: row.id,
    subscription: row.subscription,
    destination: row.destination,
    type: row.type,
    source: row.source,
    eventId: row.event_id,
    attempts: row.attempts,
    reason: row.reason,
    status: row.status,
    deadAt: row.dead_at,
    redrivenAt: row.redriven_at,
  });

const withoutNull = (fields: object) =>
  Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== null));
