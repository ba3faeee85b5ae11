/**
Routes: the admin API, for who holds the admin key. Nothing under its path is answered without.
*/
import type {Router} from 'express';
import type pg from 'pg';
import {requireBearer} from '../../events/serve.ts';
import {uuidv7} from '../../events/uuid.ts';
import {budgetRoutes} from './budgets.ts';
import {type Contract, loadContract} from './contract.ts';
import {keyRoutes} from './keys.ts';
import {ledgerRoutes} from './ledger.ts';
import {orgRoutes} from './orgs.ts';
import {projectRoutes} from './projects.ts';
import {requestRoutes} from './requests.ts';
import {createTenancy} from './tenancy.ts';
import {topUpRoutes} from './top-ups.ts';

export const adminRoutes = ({
  pool,
  adminKey,
  contract = loadContract(),
  now = () => new Date(),
  newId = () => uuidv7(),
}: {
  /** As sluice_tenant. */
  pool: pg.Pool;
  adminKey: string;
  contract?: Contract;
  now?: () => Date;
  newId?: () => string;
}) =>
  function addRoutes(router: Router) {
    router.use('/admin/v1', (request, response, next) => {
      requireBearer(request, adminKey);
      response.set('Cache-Control', 'no-store');
      next();
    });
    const dependencies = {pool, contract, tenancy: createTenancy(pool), now, newId};
    for (const routes of [
      orgRoutes,
      projectRoutes,
      keyRoutes,
      budgetRoutes,
      topUpRoutes,
      ledgerRoutes,
      requestRoutes,
    ]) {
      routes(dependencies)(router);
    }
  };
