/**
List: the names of all objects in the cluster that say a model.

In: the account. Out: their keys, and what could not be listed. A list only says what to look at again, one by one: what is missing in it, or
in a page that failed, takes nothing out. Here alone the client of Kubernetes is loaded.
*/
import type {Account} from './api.ts';
import {type Key, type Kind, keyOf, modelLabel} from './objects.ts';

export type Listed = Readonly<{keys: readonly Key[]; problems: readonly string[]}>;

type Page = Readonly<{
  items: ReadonlyArray<Readonly<{metadata?: {name?: string; namespace?: string}}>>;
  metadata?: {_continue?: string; continue?: string};
}>;

/** A list that goes on for ever is cut. */
const pagesMax = 100;

export const clusterOf = ({url, caFile}: Pick<Account, 'url' | 'caFile'>) => ({
  name: 'own',
  server: url,
  ...(caFile === undefined ? {} : {caFile}),
  // The client speaks without TLS only with one whose certificate need not be checked. Every certificate that there is, is checked.
  skipTLSVerify: url.startsWith('http:'),
});

export const listObjects = async (
  account: Account,
  {pageMax = 500, timeoutMs = 20_000}: {pageMax?: number; timeoutMs?: number} = {},
): Promise<Listed> => {
  const {CoreV1Api, CustomObjectsApi, KubeConfig} = await import('@kubernetes/client-node');
  const config = new KubeConfig();
  config.loadFromOptions({
    clusters: [clusterOf(account)],
    users: [
      {name: 'own', authProvider: {name: 'tokenFile', config: {tokenFile: account.tokenFile}}},
    ],
    contexts: [{name: 'own', cluster: 'own', user: 'own'}],
    currentContext: 'own',
  });
  const core = config.makeApiClient(CoreV1Api);
  const custom = config.makeApiClient(CustomObjectsApi);
  const options = (next: string | undefined) => ({
    labelSelector: modelLabel,
    limit: pageMax,
    ...(next ? {_continue: next} : {}),
  });
  const [services, inferences] = await Promise.all([
    pages('Service', timeoutMs, next => core.listServiceForAllNamespaces(options(next))),
    pages(
      'InferenceService',
      timeoutMs,
      next =>
        custom.listClusterCustomObject({
          group: 'serving.kserve.io',
          version: 'v1beta1',
          plural: 'inferenceservices',
          ...options(next),
        }) as Promise<Page>,
    ),
  ]);
  return {
    keys: [...services.keys, ...inferences.keys],
    problems: [...services.problems, ...inferences.problems],
  };
};

const pages = async (
  kind: Kind,
  timeoutMs: number,
  load: (next: string | undefined) => Promise<Page>,
): Promise<Listed> => {
  const keys: Key[] = [];
  let next: string | undefined;
  try {
    for (let page = 0; page < pagesMax; page += 1) {
      const {items, metadata} = await within(load(next), timeoutMs);
      for (const {metadata: of} of items) {
        const key = keyOf(kind, of?.namespace, of?.name);
        if (key) {
          keys.push(key);
        }
      }
      next = metadata?._continue ?? metadata?.continue;
      if (!next) {
        return {keys, problems: []};
      }
    }
    return {keys, problems: [`${kind}s: more than ${pagesMax} pages`]};
  } catch (error) {
    const {code, message} = error as Error & {code?: unknown};
    // KServe need not be there.
    if (code === 404 && kind === 'InferenceService') {
      return {keys, problems: []};
    }
    const what = typeof code === 'number' ? `answered ${code}` : String(code ?? message);
    return {keys, problems: [`${kind}s: Kubernetes ${what}`.slice(0, 200)]};
  }
};

const within = <Result>(work: Promise<Result>, timeoutMs: number): Promise<Result> => {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new Error(`no answer in ${timeoutMs / 1_000} s`)), timeoutMs);
  });
  work.catch(() => {});
  return Promise.race([work, late]).finally(() => clearTimeout(timer));
};
