/**
Me: who asks, and what they may. In: a request's credentials. Out: kind, id, name, roles with the names of what they are in.
*/
import type {Router} from 'express';
import {accessOf} from '../../../events/access/access.ts';
import type {Dependencies} from '../api/dependencies.ts';

type Named = Readonly<{id: string; name: string}>;

const namesText = 'select id, name from names_of($1, $2)';

export const meRoutes = ({pool, contract}: Pick<Dependencies, 'pool' | 'contract'>) =>
  function addMeRoutes(router: Router) {
    router.get('/admin/v1/me', async (request, response) => {
      contract.query('getMe', request.query);
      const {kind, id, name, isOperator, grants} = accessOf(request).actor;
      const names = new Map<string, string>();
      if (grants.length > 0) {
        const {rows} = await pool.query<Named>(namesText, [
          grants.map(({org}) => org),
          grants.flatMap(({project}) => project ?? []),
        ]);
        for (const row of rows) {
          names.set(row.id, row.name);
        }
      }
      response.json({
        kind,
        id,
        name,
        operator: isOperator,
        // What has no name was deleted since the roles were read.
        grants: grants.flatMap(({org, project, role}) => {
          const orgName = names.get(org);
          const projectName = project === undefined ? undefined : names.get(project);
          return orgName === undefined || (project !== undefined && projectName === undefined)
            ? []
            : [{org, orgName, ...(project === undefined ? {} : {project, projectName}), role}];
        }),
      });
    });
  };
