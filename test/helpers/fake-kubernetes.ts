/**
Fake Kubernetes: an API server with a few objects, on a free port, as `kubectl get --raw` would see them.

In: the test, objects by the path of their list. Out: a kubeconfig for it with a token, and the requests that came. A label or field
selector is kept to; a path without a list is 404, as one of a kind that is not installed.
*/
import {mkdtemp, rm, writeFile} from 'node:fs/promises';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import type {ExecutionContext} from 'ava';
import {createHttpTestServer} from './http.ts';

type Labels = Readonly<Record<string, string>>;
export type KubeObject = Readonly<{
  metadata: Readonly<{name: string; labels?: Labels}>;
  [field: string]: unknown;
}>;
export type KubeLists = Record<string, Readonly<{kind: string; items: readonly KubeObject[]}>>;

const token = 'the-token-of-this-test';

const statusBody = (code: number, reason: string) => ({
  kind: 'Status',
  apiVersion: 'v1',
  metadata: {},
  status: 'Failure',
  message: `the server says ${reason}`,
  reason,
  code,
});

const pairsOf = (selector: string | null) =>
  (selector ?? '')
    .split(',')
    .filter(pair => pair !== '')
    .map(pair => pair.split('=') as [string, string]);

const fieldOf = (object: KubeObject, path: string): unknown =>
  path
    .split('.')
    .reduce<unknown>((at, name) => (at as Record<string, unknown> | undefined)?.[name], object);

export const startFakeKubernetes = async (t: ExecutionContext, lists: KubeLists) => {
  const asked: string[] = [];
  const forbidden = new Set<string>();
  const server = await createHttpTestServer(t, (request, response) => {
    const url = new URL(request.url ?? '/', 'http://cluster');
    asked.push(`${request.method} ${url.pathname}`);
    const answer = (status: number, body: object) => {
      response.writeHead(status, {'content-type': 'application/json'}).end(JSON.stringify(body));
    };
    if (request.headers.authorization !== `Bearer ${token}`) {
      answer(401, statusBody(401, 'Unauthorized'));
      return;
    }
    if ([...forbidden].some(part => url.pathname.includes(part))) {
      answer(403, statusBody(403, 'Forbidden'));
      return;
    }
    const list = lists[url.pathname];
    if (list) {
      const labels = pairsOf(url.searchParams.get('labelSelector'));
      const fields = pairsOf(url.searchParams.get('fieldSelector'));
      const items = list.items.filter(
        object =>
          labels.every(([name, value]) => object.metadata.labels?.[name] === value) &&
          fields.every(([path, value]) => fieldOf(object, path) === value),
      );
      answer(200, {kind: list.kind, apiVersion: 'v1', metadata: {resourceVersion: '1'}, items});
      return;
    }
    const at = url.pathname.lastIndexOf('/');
    const found = lists[url.pathname.slice(0, at)]?.items.find(
      ({metadata}) => metadata.name === url.pathname.slice(at + 1),
    );
    answer(found ? 200 : 404, found ?? statusBody(404, 'NotFound'));
  });
  const folder = await mkdtemp(join(tmpdir(), 'sluice-kube-'));
  t.teardown(() => rm(folder, {recursive: true, force: true}));
  const kubeconfig = join(folder, 'config');
  await writeFile(
    kubeconfig,
    // The client speaks plain HTTP with nobody else.
    JSON.stringify({
      apiVersion: 'v1',
      kind: 'Config',
      'current-context': 'test',
      contexts: [{name: 'test', context: {cluster: 'test', user: 'test'}}],
      clusters: [{name: 'test', cluster: {server: server.url, 'insecure-skip-tls-verify': true}}],
      users: [{name: 'test', user: {token}}],
    }),
  );
  return {url: server.url, kubeconfig, asked, forbid: (part: string) => forbidden.add(part)};
};
