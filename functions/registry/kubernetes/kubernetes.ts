/** Kubernetes: the parts of this folder, put together. In: the registry and an account. Out: what follows objects, and the resync. */
import type {Logger} from '../../../events/telemetry.ts';
import type {Registry} from '../registry.ts';
import type {RegistryStore} from '../store.ts';
import {type Account, createApi} from './api.ts';
import type {Kubernetes} from './events.ts';
import {createFollow} from './follow.ts';
import {listObjects} from './list.ts';
import {createReader} from './read.ts';
import {createResync} from './resync.ts';
import {createTell} from './tell.ts';

export const createKubernetes = ({
  account,
  registry,
  store,
  logger,
  clusterDomain,
}: {
  account: Account;
  registry: Pick<Registry, 'ask'>;
  store: RegistryStore;
  logger: Pick<Logger, 'warn'>;
  clusterDomain: string;
}): Kubernetes => {
  const api = createApi(account);
  const follow = createFollow({
    store,
    registry,
    read: createReader(api, {ownNamespace: account.namespace, clusterDomain}),
    tell: createTell({api, logger}),
  });
  return {follow, resync: createResync({store, follow, list: () => listObjects(account)})};
};
