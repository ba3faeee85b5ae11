/**
Projects: creates, lists, shows and changes the projects of an organisation. In: a name, what an unsettled request
costs, whether results are kept, the most output, limits. Out: the project.
*/
import type {Request, Router} from 'express';
import {accessOf} from '../../../events/access/access.ts';
import {projectsOf} from '../../../events/access/rule.ts';
import {SluiceError} from '../../../events/errors.ts';
import {requireMatch, sendResource} from '../../../events/etag.ts';
import {readJson} from '../../../events/json-body.ts';
import {type RateColumns, type RateFields, rateView} from '../../../events/rates.ts';
import {answerOnce, sendOnce} from '../api/answer-once.ts';
import type {Dependencies} from '../api/dependencies.ts';
import {type PageQuery, toPage} from '../api/page.ts';
import {changeText, rateValues, toRateColumns} from '../api/rates.ts';
import {refuseTaken} from '../api/taken.ts';
import {idIn} from '../api/tenancy.ts';

type UnsettledPolicy = 'prompt' | 'hold' | 'waive';
type Change = RateFields &
  Readonly<{
    name?: string;
    unsettledPolicy?: UnsettledPolicy;
    keepResults?: boolean;
    maxOutputTokens?: number | null;
  }>;
type NewProject = Change & Readonly<{name: string}>;
export type ProjectRow = RateColumns & {
  deleted_at: Date | null;
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
const lockText = `${findText} for no key update`;
const updateText = changeText('projects', [
  'name',
  'unsettled_policy',
  'keep_results',
  'max_output_tokens',
]);
const listText = `
  select * from projects where org_id = $1 and deleted_at is null and ($2::uuid is null or id > $2) and ($4::uuid[] is null or id = any($4))
  order by id limit $3`;

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
      refuseToWaive(request, unsettledPolicy === 'prompt' ? undefined : unsettledPolicy);
      const create = answerOnce(request, async (client, org) => {
        const {rows} = await client.query<ProjectRow>(insertText, [
          newId(),
          org,
          name,
          unsettledPolicy,
          keepResults,
          maxOutputTokens,
          ...rateValues(rates),
        ]);
        return projectView(rows[0]);
      });
      const answer = await tenancy(request)
        .owning('org', idIn(request, 'org'), create)
        .catch(refuseTaken(`the organisation has a project ${JSON.stringify(name)} already`));
      sendOnce(request, response, answer, {
        status: 201,
        location: ({id}) => `/admin/v1/projects/${id}`,
      });
    });

    router.get(path, async (request, response) => {
      const {after, limit} = contract.query<PageQuery>('listProjects', request.query);
      const {rows} = await tenancy(request).owning('org', idIn(request, 'org'), (client, org) =>
        client.query<ProjectRow>(listText, [
          org,
          after,
          limit + 1,
          projectsOf(accessOf(request).actor, org) ?? null,
        ]),
      );
      response.json(toPage(rows.map(projectView), limit));
    });

    router.get('/admin/v1/projects/:id', async (request, response) => {
      contract.query('getProject', request.query);
      const id = idIn(request, 'id');
      const {rows} = await tenancy(request).owning('project', id, client =>
        client.query<ProjectRow>(findText, [id]),
      );
      sendResource(request, response, projectView(rows[0]));
    });

    router.patch('/admin/v1/projects/:id', async (request, response) => {
      const change = contract.body<Change>('changeProject', readJson(request));
      refuseToWaive(request, change.unsettledPolicy);
      const id = idIn(request, 'id');
      const columns = {
        ...toRateColumns(change),
        name: change.name,
        unsettled_policy: change.unsettledPolicy,
        keep_results: change.keepResults,
        max_output_tokens: change.maxOutputTokens,
      };
      const view = await tenancy(request)
        .owning('project', id, async client => {
          const show = async (text: string, ...values: unknown[]) =>
            projectView((await client.query<ProjectRow>(text, [id, ...values])).rows[0]);
          const before = await show(lockText);
          await requireMatch(request, async () => before);
          refuseDeletedProject(before);
          return show(updateText, columns);
        })
        .catch(
          refuseTaken(`the organisation has a project ${JSON.stringify(change.name)} already`),
        );
      sendResource(request, response, view);
    });
  };

export const refuseDeletedProject = ({deletedAt}: {deletedAt?: Date}) => {
  if (deletedAt) {
    throw new SluiceError('conflict', 'the project is deleted');
  }
};

/** What a request costs whose result was lost is between the platform and its tenant: who is charged does not choose it. */
const refuseToWaive = (request: Request, policy: UnsettledPolicy | undefined) => {
  if (policy !== undefined && !accessOf(request).actor.isOperator) {
    throw new SluiceError('forbidden', "unsettledPolicy: it is the operator's", {
      parameter: 'unsettledPolicy',
    });
  }
};

export const projectView = (found: ProjectRow | undefined) => {
  const row = found as ProjectRow;
  return {
    id: row.id,
    org: row.org_id,
    name: row.name,
    unsettledPolicy: row.unsettled_policy,
    keepResults: row.keep_results,
    ...rateView(row),
    ...(row.max_output_tokens === null ? {} : {maxOutputTokens: row.max_output_tokens}),
    ...(row.deleted_at === null ? {} : {deletedAt: row.deleted_at}),
    createdAt: row.created_at,
  };
};
