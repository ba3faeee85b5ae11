/**
Routes: the admin API. Nothing under its path is answered but what the guard lets through.
*/
import type {RequestHandler, Router} from 'express';
import type pg from 'pg';
import {uuidv7} from '../../events/uuid.ts';
import {type Contract, loadContract} from './api/contract.ts';
import {documentRoutes} from './api/document.ts';
import {createTenancy} from './api/tenancy.ts';
import {auditRoutes} from './audit.ts';
import {requestRoutes} from './explain/requests.ts';
import {keyRotationRoutes} from './keys/key-rotation.ts';
import {keyRoutes} from './keys/keys.ts';
import {budgetRoutes} from './money/budgets.ts';
import {ledgerRoutes} from './money/ledger.ts';
import {topUpRoutes} from './money/top-ups.ts';
import {groupRoleRoutes} from './people/group-roles.ts';
import {loginLinkRoutes} from './people/login-links.ts';
import {memberRoutes} from './people/members.ts';
import {serviceKeyRoutes} from './people/service-keys.ts';
import {userRoutes} from './people/users.ts';
import {meRoutes} from './tenants/me.ts';
import {orgLifeRoutes} from './tenants/org-life.ts';
import {orgRoutes} from './tenants/orgs.ts';
import {projectLifeRoutes} from './tenants/project-life.ts';
import {projectRoutes} from './tenants/projects.ts';
import {purgeRoutes} from './tenants/purge.ts';

export const adminRoutes = ({
  pool,
  guard,
  contract = loadContract(),
  now = () => new Date(),
  newId = () => uuidv7(),
}: {
  /** As sluice_tenant. */
  pool: pg.Pool;
  /** Of `events/access`. */
  guard: RequestHandler;
  contract?: Contract;
  now?: () => Date;
  newId?: () => string;
}) =>
  function addRoutes(router: Router) {
    router.use('/admin/v1', guard);
    const dependencies = {pool, contract, tenancy: createTenancy(pool), now, newId};
    for (const routes of [
      meRoutes,
      orgRoutes,
      orgLifeRoutes,
      purgeRoutes,
      projectRoutes,
      projectLifeRoutes,
      keyRoutes,
      keyRotationRoutes,
      budgetRoutes,
      topUpRoutes,
      ledgerRoutes,
      requestRoutes,
      auditRoutes,
      documentRoutes,
      userRoutes,
      loginLinkRoutes,
      memberRoutes,
      groupRoleRoutes,
      serviceKeyRoutes,
    ]) {
      routes(dependencies)(router);
    }
  };
