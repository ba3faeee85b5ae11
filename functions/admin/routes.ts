/**
Routes: the admin API. Nothing under its path is answered but what the guard lets through.
*/
import type {RequestHandler, Router} from 'express';
import type pg from 'pg';
import {uuidv7} from '../../events/uuid.ts';
import {auditRoutes} from './audit.ts';
import {budgetRoutes} from './budgets.ts';
import {type Contract, loadContract} from './contract.ts';
import {documentRoutes} from './document.ts';
import {groupRoleRoutes} from './group-roles.ts';
import {keyRotationRoutes} from './key-rotation.ts';
import {keyRoutes} from './keys.ts';
import {ledgerRoutes} from './ledger.ts';
import {loginLinkRoutes} from './login-links.ts';
import {meRoutes} from './me.ts';
import {memberRoutes} from './members.ts';
import {orgLifeRoutes} from './org-life.ts';
import {orgRoutes} from './orgs.ts';
import {projectLifeRoutes} from './project-life.ts';
import {projectRoutes} from './projects.ts';
import {purgeRoutes} from './purge.ts';
import {requestRoutes} from './requests.ts';
import {serviceKeyRoutes} from './service-keys.ts';
import {createTenancy} from './tenancy.ts';
import {topUpRoutes} from './top-ups.ts';
import {userRoutes} from './users.ts';

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
