/**
Project life: deletes a project. Its keys are revoked, roles in it and its machines' keys end, its name is free again; its budgets, its
ledger and its records stay under its id.
*/
import type {Router} from 'express';
import {requireMatch} from '../../../events/etag.ts';
import {insertIntoOutbox} from '../../../events/outbox.ts';
import type {Dependencies} from '../api/dependencies.ts';
import {idIn} from '../api/tenancy.ts';
import {type KeyRow, keyRows} from '../keys/key-view.ts';
import {announce} from '../keys/keys.ts';
import {type ProjectRow, projectView} from './projects.ts';

const lockText = 'select * from projects where id = $1 for update';
const deleteText = 'update projects set deleted_at = $2 where id = $1 and deleted_at is null';
const keysText = `${keyRows} where k.project_id = $1 and k.revoked_at is null order by k.id for no key update of k`;
const revokeText =
  'update keys set revoked_at = $2 where project_id = $1 and revoked_at is null returning id';
const endRoles = [
  'select remove_member(id) from members where project_id = $1',
  'select remove_group_role(id) from group_roles where project_id = $1',
];
const endServiceKeysText =
  'update service_keys set revoked_at = $2 where project_id = $1 and revoked_at is null';

export const projectLifeRoutes = ({contract, tenancy, now}: Dependencies) =>
  function addProjectLifeRoutes(router: Router) {
    router.delete('/admin/v1/projects/:id', async (request, response) => {
      const {now: cuts} = contract.query<{now: boolean}>('deleteProject', request.query);
      const id = idIn(request, 'id');
      await tenancy(request).owning('project', id, async client => {
        const time = now();
        const {rows} = await client.query<ProjectRow>(lockText, [id]);
        await requireMatch(request, async () => projectView(rows[0]));
        await client.query(deleteText, [id, time]);
        const keys = await client.query<KeyRow>(keysText, [id]);
        await client.query(revokeText, [id, time]);
        for (const text of endRoles) {
          await client.query(text, [id]);
        }
        await client.query(endServiceKeysText, [id, time]);
        await insertIntoOutbox(
          client,
          keys.rows.map(row => announce('revoked', row, time)),
        );
        if (cuts) {
          await client.query('select cut_running(id) from keys where project_id = $1', [id]);
        }
      });
      response.status(204).end();
    });
  };
