/**
Audit: who changed what, with what was before and after: lists it with filters, newest first, shows one entry, forgets what is old.

Entries are written by triggers of the schema in the transaction of the change; here they are only read. An organisation's are for
its admins; without an organisation, all and those of none, for who runs the platform.
*/
import type {Router} from 'express';
import type pg from 'pg';
import {accessOf} from '../../events/access/access.ts';
import type {Queryable} from '../../events/database.ts';
import {SluiceError} from '../../events/errors.ts';
import {sendResource} from '../../events/etag.ts';
import type {Dependencies} from './api/dependencies.ts';
import {toInstant} from './api/instants.ts';
import {type PageQuery, toPage} from './api/page.ts';
import {idIn} from './api/tenancy.ts';

type Question = PageQuery &
  Readonly<{
    org?: string;
    actor?: string;
    operation?: string;
    subjectKind?: string;
    subject?: string;
    from?: string;
    to?: string;
  }>;
type Row = {
  id: string;
  org_id: string | null;
  at: Date;
  actor_kind: string;
  actor_id: string;
  actor_name: string;
  operation: string;
  subject_kind: string;
  subject: string;
  before: object | null;
  after: object | null;
  request: string | null;
  client_address: string | null;
};

const base = '/admin/v1/audit';
const listOf = (source: 'list_audit' | 'list_all_audit') =>
  `select * from ${source}($1, $2, $3, $4, $5, $6, $7, $8, $9)`;

export const auditRoutes = ({contract, tenancy}: Dependencies) =>
  function addAuditRoutes(router: Router) {
    router.get(base, async (request, response) => {
      const query = contract.query<Question>('listAudit', request.query);
      const {org, actor, operation, subjectKind, subject, after, limit} = query;
      const [from, to] = spanOf(query);
      const values = [null, actor, operation, subjectKind, subject, from, to, after, limit + 1];
      const tenant = tenancy(request);
      const {rows} =
        org === undefined
          ? await tenant.operator(client => client.query<Row>(listOf('list_all_audit'), values))
          : await tenant.owning('org', org, client =>
              client.query<Row>(listOf('list_audit'), values),
            );
      response.json(toPage(rows.map(toView), limit));
    });

    router.get(`${base}/:id`, async (request, response) => {
      contract.query('getAudit', request.query);
      const id = idIn(request, 'id');
      const values = [id, ...Array(7).fill(null), 1];
      const read = (source: Parameters<typeof listOf>[0]) => (client: pg.PoolClient) =>
        client.query<Row>(listOf(source), values);
      const tenant = tenancy(request);
      const {rows} = accessOf(request).actor.isOperator
        ? await tenant.operator(read('list_all_audit'))
        : await tenant.owning('audit', id, read('list_audit'));
      if (!rows[0]) {
        throw new SluiceError('not_found', `there is no entry of the audit ${id}`, {
          parameter: 'id',
        });
      }
      sendResource(request, response, toView(rows[0]));
    });
  };

/** Once a day is enough: what one call leaves the next one takes. */
export const forgetAudit = async (client: Queryable, days: number, {partsMax = 100} = {}) => {
  for (let part = 0; part < partsMax; part += 1) {
    const {rows} = await client.query<{forgotten: number}>('select forget_audit($1) as forgotten', [
      days,
    ]);
    if (!rows[0]?.forgotten) {
      return;
    }
  }
};

const spanOf = ({from, to}: Question) => {
  const first = from === undefined ? undefined : toInstant(from, 'from');
  const end = to === undefined ? undefined : toInstant(to, 'to');
  if (first && end && first > end) {
    throw new SluiceError('bad_request', 'from: expected an instant that is not after to', {
      parameter: 'from',
    });
  }
  return [first, end];
};

const toView = (row: Row) => ({
  id: row.id,
  ...(row.org_id === null ? {} : {org: row.org_id}),
  at: row.at,
  actor: {kind: row.actor_kind, id: row.actor_id, name: row.actor_name},
  operation: row.operation,
  subjectKind: row.subject_kind,
  subject: row.subject,
  ...(row.before === null ? {} : {before: row.before}),
  ...(row.after === null ? {} : {after: row.after}),
  ...(row.request === null ? {} : {request: row.request}),
  ...(row.client_address === null ? {} : {clientAddress: row.client_address}),
});
