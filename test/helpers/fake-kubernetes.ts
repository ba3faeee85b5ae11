/**
Fake Kubernetes: an API server with a few objects, on a free port, as `kubectl get --raw` would see them.

In: the test, objects by the path of their list; the test may change them. Out: a kubeconfig for it with a token, the files of an account,
the requests that came, and what was posted. A label or field selector is kept to, and a limit: the rest is on the next page. A list of a kind in
all namespaces is made of theirs. A path without a list is 404, as one of a kind that is not installed.
*/
import {mkdtemp, rm, writeFile} from 'node:fs/promises';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import type {ExecutionContext} from 'ava';
import {createHttpTestServer} from './http.ts';

type Labels = Readonly<Record<string, string>>;
export type KubeObject = Readonly<{
  metadata: Readonly<{name: string; labels?: Labels; [field: string]: unknown}>;
  [field: string]: unknown;
}>;
export type KubeLists = Record<string, Readonly<{kind: string; items: readonly KubeObject[]}>>;

const token = 'the-token-of-this-test';

const statusBody = (code: number, reason: string, name?: string) => ({
  kind: 'Status',
  apiVersion: 'v1',
  metadata: {},
  status: 'Failure',
  message: `the server says ${reason}`,
  reason,
  ...(name === undefined ? {} : {details: {name}}),
  code,
});

const pairsOf = (selector: string | null) =>
  (selector ?? '')
    .split(',')
    .filter(pair => pair !== '')
    .map(pair => pair.split('=') as [string, string | undefined]);

/** All of a kind, as `/api/v1/services` lists those of every namespace. */
const listAt = (lists: KubeLists, path: string): KubeLists[string] | undefined => {
  const [, api = '', plural = ''] = /^(\/api\/v1|\/apis\/[^/]+\/[^/]+)\/([a-z]+)$/.exec(path) ?? [];
  const all = Object.entries(lists).filter(
    ([at]) => plural && at.startsWith(`${api}/namespaces/`) && at.endsWith(`/${plural}`),
  );
  return (
    lists[path] ??
    (all[0] && {kind: all[0][1].kind, items: all.flatMap(([, {items}]) => [...items])})
  );
};

const fieldOf = (object: KubeObject, path: string): unknown =>
  path
    .split('.')
    .reduce<unknown>((at, name) => (at as Record<string, unknown> | undefined)?.[name], object);

export const startFakeKubernetes = async (t: ExecutionContext, lists: KubeLists) => {
  const asked: string[] = [];
  const posted: unknown[] = [];
  const forbidden = new Set<string>();
  const server = await createHttpTestServer(t, async (request, response) => {
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
    if (request.method === 'POST') {
      const parts: Buffer[] = [];
      for await (const part of request) {
        parts.push(part);
      }
      const body = JSON.parse(Buffer.concat(parts).toString());
      posted.push(body);
      answer(201, body);
      return;
    }
    const list = listAt(lists, url.pathname);
    if (list) {
      const labels = pairsOf(url.searchParams.get('labelSelector'));
      const fields = pairsOf(url.searchParams.get('fieldSelector'));
      const items = list.items.filter(
        object =>
          labels.every(([name, value]) =>
            value === undefined
              ? object.metadata.labels?.[name] !== undefined
              : object.metadata.labels?.[name] === value,
          ) && fields.every(([path, value]) => fieldOf(object, path) === value),
      );
      const from = Number(url.searchParams.get('continue') ?? 0);
      const to = from + Number(url.searchParams.get('limit') ?? items.length);
      const metadata = {
        resourceVersion: '1',
        ...(to < items.length ? {continue: String(to)} : {}),
      };
      answer(200, {kind: list.kind, apiVersion: 'v1', metadata, items: items.slice(from, to)});
      return;
    }
    const at = url.pathname.lastIndexOf('/');
    const name = url.pathname.slice(at + 1);
    const siblings = lists[url.pathname.slice(0, at)];
    const found = siblings?.items.find(({metadata}) => metadata.name === name);
    answer(found ? 200 : 404, found ?? statusBody(404, 'NotFound', siblings && name));
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
  const tokenFile = join(folder, 'token');
  await writeFile(tokenFile, token);
  return {
    url: server.url,
    kubeconfig,
    account: {url: server.url, namespace: 'sluice', tokenFile},
    asked,
    posted,
    forbid: (part: string) => forbidden.add(part),
    admit: (part: string) => forbidden.delete(part),
  };
};
