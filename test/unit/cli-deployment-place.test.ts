import test from 'ava';
import {kubeSourceOf} from '../../functions/admin/cli/deployment/kubeconfig.ts';
import {isPartOf, placeOf} from '../../functions/admin/cli/deployment/place.ts';

const isAt = (url: string, namespace: string | null, place: [string, string] | undefined) =>
  test(`${url}, registered in ${namespace ?? 'no namespace'}, is ${place ? place.join('/') : 'in no cluster'}`, t => {
    const found = placeOf(url, namespace);
    t.deepEqual(found && [found.namespace, found.service], place);
  });

isAt('http://llama.models.svc.cluster.local:8000', null, ['models', 'llama']);
isAt('http://llama.models.svc', 'other', ['models', 'llama']);
isAt('http://llama.models', null, ['models', 'llama']);
isAt('http://llama:8000', 'models', ['models', 'llama']);
isAt('http://llama:8000', null, undefined);
isAt('http://llama.models.example.com', 'models', ['models', 'llama']);
isAt('https://api.example.com', null, undefined);
isAt('http://10.0.0.7:8000', 'models', undefined);
isAt('http://[::1]:8000', 'models', undefined);
isAt('http://localhost:8000', 'models', undefined);
isAt('no url', 'models', undefined);

test('a Service of KServe is known by what stands behind the name', t => {
  for (const service of [
    'm',
    'm-predictor',
    'm-predictor-default',
    'm-predictor-00001-private',
    'm-transformer',
  ]) {
    t.true(isPartOf(service, 'm'), service);
  }
  for (const service of ['m2', 'm-other', 'predictor', 'm-predictor-x']) {
    t.false(isPartOf(service, 'm'), service);
  }
});

test('the cluster is the one that kubectl would take', t => {
  const files =
    (...there: string[]) =>
    (path: string) =>
      there.includes(path);
  t.deepEqual(kubeSourceOf({KUBECONFIG: '/a:/b', HOME: '/h'}, undefined, files('/b')), {
    file: '/b',
    context: undefined,
  });
  t.deepEqual(kubeSourceOf({HOME: '/h'}, 'prod', files('/h/.kube/config')), {
    file: '/h/.kube/config',
    context: 'prod',
  });
  const token = '/var/run/secrets/kubernetes.io/serviceaccount/token';
  t.is(kubeSourceOf({KUBERNETES_SERVICE_HOST: '10.0.0.1'}, undefined, files(token)), 'in-cluster');
  t.is(kubeSourceOf({KUBERNETES_SERVICE_HOST: '10.0.0.1'}, undefined, files()), undefined);
  t.is(kubeSourceOf({}, undefined, files()), undefined);
});
