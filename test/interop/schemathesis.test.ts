/** Schemathesis against a whole Sluice: from its own OpenAPI document, with a fixed seed, for about a minute. */
import test from 'ava';
import {createAdmin} from '../helpers/admin.ts';
import {allListen} from '../helpers/function-processes.ts';
import {startSluice} from '../helpers/sluice.ts';
import {installSchemathesis, runSchemathesis} from './schemathesis/schemathesis.ts';

test('no request that the document allows or forbids is answered otherwise than it says', async t => {
  t.timeout(600_000);
  await installSchemathesis();
  const sluice = await startSluice(t, {timeoutMs: 120_000});
  await allListen(sluice, 120_000);
  const ofOperator = await runSchemathesis(sluice.url, {
    authorization: `Bearer ${sluice.adminKey}`,
    phases: ['examples', 'coverage'],
    seconds: 45,
  });
  t.false(ofOperator.found, ofOperator.output);
  t.true(ofOperator.generated > 100, ofOperator.output);
  const {org, project, keyId, budget} = await createAdmin(sluice).createTenant('acme');
  const {key} = await createAdmin(sluice).post<{key: string}>(`/orgs/${org}/service-keys`, {
    name: 'schemathesis',
    role: 'owner',
  });
  const ofOwner = await runSchemathesis(sluice.url, {
    authorization: `Bearer ${key}`,
    phases: ['fuzzing', 'stateful'],
    seconds: 30,
    rejects: false,
    known: {
      '/admin/v1/orgs/{org}': {org},
      '/admin/v1/orgs/{org}/projects': {org},
      '/admin/v1/orgs/{org}/members': {org},
      '/admin/v1/orgs/{org}/group-roles': {org},
      '/admin/v1/orgs/{org}/service-keys': {org},
      '/admin/v1/projects/{id}': {id: project},
      '/admin/v1/projects/{project}/keys': {project},
      '/admin/v1/keys/{id}': {id: keyId},
      '/admin/v1/keys/{id}/rotate': {id: keyId},
      '/admin/v1/budgets/{id}': {id: budget},
      '/admin/v1/budgets/{id}/top-ups': {id: budget},
    },
  });
  t.false(ofOwner.found, ofOwner.output);
  t.log(`${ofOperator.generated} requests of the operator, ${ofOwner.generated} of an owner`);
});
