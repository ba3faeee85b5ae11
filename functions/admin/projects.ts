/**
Projects: creates, lists, shows and changes the projects of an organisation. In: a name, what an unsettled request
costs, whether results are kept, the most output, limits. Out: the project.
*/
import type {Router} from 'express';
import {readJson} from '../../events/json-body.ts';
import {type RateColumns, type RateFields, rateView} from '../../events/rates.ts';
import type {Dependencies} from './dependencies.ts';
import {type PageQuery, toPage} from './page.ts';
import {changeText, rateValues, toRateColumns} from './rates.ts';
import {refuseTaken} from './taken.ts';
import {idIn} from './tenancy.ts';

type UnsettledPolicy = 'prompt' | 'hold' | 'waive';
type Change = RateFields &
  Readonly<{
    unsettledPolicy?: UnsettledPolicy;
    keepResults?: boolean;
    maxOutputTokens?: number | null;
  }>;
type NewProject = Change & Readonly<{name: string}>;
type Row = RateColumns & {
  id: string;
  org_id: string;
  name: string;
  unsettled_policy: UnsettledPolicy;
  keep_results: boolean;
  max_output_tokens: number | null;
  created_at: Date;
};

const path = '/admin/v1/orgs/:org/projects';
const insertText = `
  insert into projects (id, org_id, name, unsettled_policy, keep_results, max_output_tokens,
                        requests_per_minute, tokens_per_minute, parallel_requests)
  values ($1, $2, $3, $4, $5, $6, $7, $8, $9) returning *`;
const findText = 'select * from projects where id = $1';
const updateText = changeText('projects', [
  'unsettled_policy',
  'keep_results',
  'max_output_tokens',
]);
const listText = `
  select * from projects where org_id = $1 and ($2::uuid is null or id > $2) order by id limit $3`;

export const projectRoutes = ({contract, tenancy, newId}: Dependencies) =>
  function addProjectRoutes(router: Router) {
    router.post(path, async (request, response) => {
      const {
        name,
        unsettledPolicy = 'prompt',
        keepResults = false,
        maxOutputTokens = null,
        ...rates
      } = contract.body<NewProject>('createProject', readJson(request));
      const {rows} = await tenancy(request)
        .owning('org', idIn(request, 'org'), (client, org) =>
          client.query<Row>(insertText, [
            newId(),
            org,
            name,
            unsettledPolicy,
            keepResults,
            maxOutputTokens,
            ...rateValues(rates),
          ]),
        )
        .catch(refuseTaken(`the organisation has a project ${JSON.stringify(name)} already`));
      response.status(201).json(toView(rows[0] as Row));
    });

    router.get(path, async (request, response) => {
      const {after, limit} = contract.query<PageQuery>('listProjects', request.query);
      const {rows} = await tenancy(request).owning('org', idIn(request, 'org'), (client, org) =>
        client.query<Row>(listText, [org, after, limit + 1]),
      );
      response.json(toPage(rows.map(toView), limit));
    });

    router.get('/admin/v1/projects/:id', async (request, response) => {
      contract.query('getProject', request.query);
      const id = idIn(request, 'id');
      const {rows} = await tenancy(request).owning('project', id, client =>
        client.query<Row>(findText, [id]),
      );
      response.json(toView(rows[0] as Row));
    });

    router.patch('/admin/v1/projects/:id', async (request, response) => {
      const change = contract.body<Change>('changeProject', readJson(request));
      const id = idIn(request, 'id');
      const columns = {
        ...toRateColumns(change),
        unsettled_policy: change.unsettledPolicy,
        keep_results: change.keepResults,
        max_output_tokens: change.maxOutputTokens,
      };
      const {rows} = await tenancy(request).owning('project', id, client =>
        client.query<Row>(updateText, [id, columns]),
      );
      response.json(toView(rows[0] as Row));
    });
  };

const toView = (row: Row) => ({
  id: row.id,
  org: row.org_id,
  name: row.name,
  unsettledPolicy: row.unsettled_policy,
  keepResults: row.keep_results,
  ...rateView(row),
  ...(row.max_output_tokens === null ? {} : {maxOutputTokens: row.max_output_tokens}),
  createdAt: row.created_at,
});
