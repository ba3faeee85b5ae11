/** How cluster tests reach functions: by the names that they have on the cluster, which nothing here resolves. */
import test, {type ExecutionContext} from 'ava';
import {createWayIn} from '../cluster/way-in.ts';
import {createHttpTestServer} from '../helpers/http.ts';

/** Answers with its own name and the Host that it was asked for. */
const startGateway = async (t: ExecutionContext, name: string) => {
  const {port} = await createHttpTestServer(t, (request, response) => {
    response.end(`${name} ${request.headers.host}${request.url}`);
  });
  return `127.0.0.1:${port}`;
};

const service = (name: string, paths: readonly string[], domain = 'x.svc.cluster.local') => ({
  paths,
  url: `http://${name}.${domain}`,
  localUrl: `http://${name}.x.svc.cluster.local`,
});

const open = async (t: ExecutionContext) => {
  const gateways = {
    public: await startGateway(t, 'public'),
    local: await startGateway(t, 'local'),
  };
  const wayIn = createWayIn({
    gateways,
    services: {
      admin: service('admin', ['/admin/v1']),
      registry: service('registry', ['/admin/v1/models']),
      gateway: service('gateway', ['/v1'], 'x.example.org'),
    },
  });
  t.teardown(wayIn.close);
  return wayIn;
};

test('a path goes to the function with the longest prefix of it, by the gateway within the cluster', async t => {
  const wayIn = await open(t);
  const ask = async (path: string) => (await wayIn.fetch(path)).text();
  t.is(await ask('/admin/v1/orgs?a=b'), 'local admin.x.svc.cluster.local/admin/v1/orgs?a=b');
  t.is(await ask('/admin/v1/models'), 'local registry.x.svc.cluster.local/admin/v1/models');
  t.is(await ask('/admin/v1/models/7'), 'local registry.x.svc.cluster.local/admin/v1/models/7');
  t.is(await ask('/admin/v1/modelsx'), 'local admin.x.svc.cluster.local/admin/v1/modelsx');
  t.is(wayIn.urlOf('/v1/models'), 'http://gateway.x.svc.cluster.local/v1/models');
  t.throws(() => wayIn.urlOf('/v10'), {message: /no function has the path/});
});

test('a public name goes to the ingress', async t => {
  const {fetch} = await open(t);
  const answer = await fetch('http://gateway.x.example.org/v1/models');
  t.is(await answer.text(), 'public gateway.x.example.org/v1/models');
});
