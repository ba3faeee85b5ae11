/** The lint of what becomes a pod on a real Knative: each rule on whole manifests with one thing broken in them. */
import {readFile} from 'node:fs/promises';
import {fileURLToPath} from 'node:url';
import test from 'ava';
import {readCatalogue} from '../../knative/lint/catalogue.ts';
import {lint} from '../../knative/lint/lint.ts';
import {readManifestFiles} from '../../knative/local/plan/manifests.ts';
import {wholeJob, wholeService, wholeSource} from '../helpers/manifests.ts';

const here = (path: string) => fileURLToPath(new URL(path, import.meta.url));

type Objects = Readonly<{
  service: ReturnType<typeof wholeService>;
  source: ReturnType<typeof wholeSource>;
  job: ReturnType<typeof wholeJob>;
}>;

const found = (change: (objects: Objects) => void = () => {}) => {
  const objects = {
    service: wholeService('one'),
    source: wholeSource('reads'),
    job: wholeJob('migrate'),
  };
  change(objects);
  const text = Object.values(objects)
    .map(object => JSON.stringify(object, null, 1))
    .join('\n---\n');
  return lint([{file: 'a.yaml', text}], []);
};

test('a Service, a source and a Job that say everything have no finding', t => {
  t.deepEqual(found(), []);
});

const breaks = test.macro(
  (t, change: (objects: Objects) => void, expected: string, message: RegExp) => {
    const findings = found(change);
    t.deepEqual(
      findings.map(({severity, rule}) => `${severity} ${rule}`),
      [`error ${expected}`],
    );
    t.regex(findings[0]?.message ?? '', message);
    t.regex(findings[0]?.at ?? '', /^a\.yaml:\d+$/);
  },
);

const containerOf = (object: {spec: {template: {spec: {containers: readonly object[]}}}}) =>
  object.spec.template.spec.containers[0] as Record<string, unknown> & {
    securityContext: Record<string, unknown>;
    resources: {requests: Record<string, unknown>; limits: Record<string, unknown>};
  };

for (const [field, value, message] of [
  ['runAsNonRoot', undefined, /may be made to run as root/],
  ['runAsUser', 0, /may be made to run as root/],
  ['readOnlyRootFilesystem', false, /no function writes a file/],
  ['allowPrivilegeEscalation', undefined, /is not false/],
  ['capabilities', {drop: ['NET_RAW']}, /do not drop ALL/],
  ['seccompProfile', {type: 'Unconfined'}, /is not RuntimeDefault/],
] as const) {
  for (const kind of ['service', 'source', 'job'] as const) {
    test(
      `a ${kind} with ${field} ${JSON.stringify(value) ?? 'left out'}`,
      breaks,
      objects => {
        containerOf(objects[kind]).securityContext[field] = value;
      },
      'restricted',
      message,
    );
  }
}
test(
  'an init container that may run as root',
  breaks,
  ({job}) => {
    const [first] = job.spec.template.spec.initContainers;
    Object.assign(first?.securityContext ?? {}, {runAsNonRoot: false});
  },
  'restricted',
  /Job migrate: runAsNonRoot/,
);
test('what a pod says for all of its containers counts', t => {
  const findings = found(({source}) => {
    const {runAsNonRoot, ...rest} = containerOf(source).securityContext;
    containerOf(source).securityContext = rest;
    Object.assign(source.spec.template.spec, {securityContext: {runAsNonRoot}});
  });
  t.deepEqual(findings, []);
});

test(
  'a token that nobody asked for',
  breaks,
  ({service}) => {
    Object.assign(service.spec.template.spec, {automountServiceAccountToken: undefined});
  },
  'token',
  /a token of the Kubernetes API/,
);
test('a token of an account of its own is one that somebody asked for', t => {
  const findings = found(({service}) => {
    Object.assign(service.spec.template.spec, {
      automountServiceAccountToken: true,
      serviceAccountName: 'registry',
    });
  });
  t.deepEqual(findings, []);
});

test(
  'a container that asks for nothing',
  breaks,
  ({source}) => {
    Object.assign(containerOf(source), {resources: undefined});
  },
  'resources',
  /says nothing of requests\.cpu, requests\.memory, limits\.memory/,
);
test(
  'a container whose memory has no limit',
  breaks,
  ({service}) => {
    containerOf(service).resources.limits = {cpu: '1'};
  },
  'resources',
  /says nothing of limits\.memory$/,
);
test(
  'as many pods as there is room for',
  breaks,
  ({service}) => {
    service.spec.template.metadata.annotations = {};
  },
  'scale',
  /nothing bounds how many pods/,
);
test(
  'a max-scale of 0, which is none',
  breaks,
  ({service}) => {
    service.spec.template.metadata.annotations['autoscaling.knative.dev/max-scale'] = '0';
  },
  'scale',
  /nothing bounds/,
);

test(
  'a Service without a readiness probe',
  breaks,
  ({service}) => {
    Object.assign(containerOf(service), {readinessProbe: undefined});
  },
  'probe',
  /there is no readinessProbe by HTTP/,
);
test(
  'a Service that is only tried at its port',
  breaks,
  ({service}) => {
    Object.assign(containerOf(service), {readinessProbe: {tcpSocket: {port: 8080}}});
  },
  'probe',
  /by HTTP/,
);
test(
  'a readiness probe with a period, which a start from zero waits for',
  breaks,
  ({service}) => {
    const readinessProbe = {httpGet: {path: '/healthz'}, periodSeconds: 5};
    Object.assign(containerOf(service), {readinessProbe});
  },
  'probe',
  /waits for it/,
);
test(
  'a source that nobody asks whether it lives',
  breaks,
  ({source}) => {
    Object.assign(containerOf(source), {livenessProbe: undefined});
  },
  'probe',
  /there is no livenessProbe/,
);
test(
  'a probe of a source without a port',
  breaks,
  ({source}) => {
    Object.assign(containerOf(source), {livenessProbe: {httpGet: {path: '/healthz'}}});
  },
  'probe',
  /has no port/,
);

for (const [image, message] of [
  ['dev.local/sluice:1.0.1', /another image than the first, "dev\.local\/sluice:1\.0\.0"/],
  ['dev.local/sluice', /names no release/],
  ['dev.local/sluice:latest', /names no release/],
] as const) {
  test(
    `an image ${image} beside others`,
    breaks,
    ({job}) => {
      containerOf(job).image = image;
    },
    'image',
    message,
  );
}

test(
  'a Service that nobody said is a front door',
  breaks,
  ({service}) => {
    service.metadata.labels = {};
  },
  'visibility',
  /is public: give it the label/,
);
test(
  'a label that is misspelt, which hides nothing',
  breaks,
  ({service}) => {
    service.metadata.labels = {'networking.knative.dev/visibility': 'cluster_local'};
  },
  'visibility',
  /the Service is public/,
);
test(
  'a front door that is shut',
  breaks,
  ({service}) => {
    service.metadata.annotations['sluice.dev/front-door'] = 'for clients';
  },
  'visibility',
  /says that it is a front door, and has the label/,
);
test('a front door that says why is one', t => {
  const findings = found(({service}) => {
    service.metadata.labels = {};
    service.metadata.annotations['sluice.dev/front-door'] = 'for clients';
  });
  t.deepEqual(findings, []);
});

test(
  'a source that is killed before a delivery may have ended',
  breaks,
  ({source}) => {
    source.spec.template.spec.terminationGracePeriodSeconds = 30;
  },
  'timeouts',
  /killed 30 s after it was told to go, a delivery may last 60 s/,
);
test('a source whose deliveries are shorter may go sooner', t => {
  const findings = found(({source}) => {
    source.spec.template.spec.terminationGracePeriodSeconds = 30;
    (containerOf(source).env as object[]).push({name: 'SOURCE_TIMEOUT_MS', value: '10000'});
  });
  t.deepEqual(findings, []);
});

test('the manifests name the image of this release', async t => {
  const {version} = JSON.parse(await readFile(here('../../package.json'), 'utf8'));
  const files = await readManifestFiles(here('../../knative'));
  const images = files.flatMap(({text}) =>
    [...text.matchAll(/^ +- ?image: (\S+)$|^ +image: (\S+)$/gm)].map(
      ([, one, other]) => one ?? other,
    ),
  );
  t.true(images.length > 10);
  t.deepEqual([...new Set(images)], [`dev.local/sluice:${version}`]);
});

test('with the Brokers of Kafka our manifests have no finding at all', async t => {
  const plain = await readManifestFiles(here('../../knative'));
  const variant = await readManifestFiles(here('../../knative/broker-kafka'));
  const names = variant.map(({file}) => file.split('/').at(-1));
  const files = [...plain.filter(({file}) => !names.includes(file.split('/').at(-1))), ...variant];
  t.is(files.length, plain.length);
  t.deepEqual(lint(files, await readCatalogue(here('../../schemas/events'))), []);
});
