/**
Manifests: objects that a test makes beside those of the installation.

In: names, the image. Out: the objects, with the security that the functions have.
*/
const securityContext = {
  runAsNonRoot: true,
  allowPrivilegeEscalation: false,
  readOnlyRootFilesystem: true,
  capabilities: {drop: ['ALL']},
  seccompProfile: {type: 'RuntimeDefault'},
};

/** A hello that wants a Secret of its name, and a Trigger for greetings that carry the attribute `away` with its name: Secret first. */
export const awayService = ({
  name,
  namespace,
  image,
  delivery,
}: {
  name: string;
  namespace: string;
  image: string;
  delivery: object;
}): readonly [secret: object, service: object, trigger: object] => [
  {apiVersion: 'v1', kind: 'Secret', metadata: {name, namespace}, stringData: {key: 'any'}},
  {
    apiVersion: 'serving.knative.dev/v1',
    kind: 'Service',
    metadata: {name, namespace, labels: {'networking.knative.dev/visibility': 'cluster-local'}},
    spec: {
      template: {
        spec: {
          timeoutSeconds: 60,
          containers: [
            {
              image,
              imagePullPolicy: 'IfNotPresent',
              args: ['hello'],
              env: [{name: 'ANY', valueFrom: {secretKeyRef: {name, key: 'key'}}}],
              readinessProbe: {httpGet: {path: '/healthz'}},
              securityContext,
            },
          ],
        },
      },
    },
  },
  {
    apiVersion: 'eventing.knative.dev/v1',
    kind: 'Trigger',
    metadata: {name, namespace},
    spec: {
      broker: 'default',
      filters: [{exact: {away: name}}],
      subscriber: {ref: {apiVersion: 'serving.knative.dev/v1', kind: 'Service', name}},
      delivery,
    },
  },
];

/** Its processes share one namespace, so that one that is not the first there can be killed from within. */
type Source = Readonly<{
  name: string;
  namespace: string;
  image: string;
  /** A URL. */
  sink: string;
  environment: Readonly<Record<string, string>>;
}>;

const fromSecret = (name: string, key: string, optional = false) => ({
  name,
  valueFrom: {secretKeyRef: {name: 'sluice', key, ...(optional ? {optional} : {})}},
});

const sourceContainer = (
  {image, environment}: Source,
  more: readonly object[],
): Record<string, unknown> => ({
  name: 'source',
  image,
  imagePullPolicy: 'IfNotPresent',
  args: ['source'],
  env: [
    ...Object.entries(environment).map(([name, value]) => ({name, value})),
    fromSecret('DATABASE_URL', 'system-database-url'),
    ...more,
  ],
  securityContext,
});

/** A StatefulSet, so that the consumer's name, the pod's, is the same after a restart; the sink comes by a SinkBinding. */
export const redisSource = (source: Source): readonly object[] => {
  const {name, namespace, sink} = source;
  const labels = {app: name};
  return [
    {
      apiVersion: 'sources.knative.dev/v1',
      kind: 'SinkBinding',
      metadata: {name, namespace},
      spec: {
        subject: {apiVersion: 'apps/v1', kind: 'StatefulSet', namespace, name},
        sink: {uri: sink},
      },
    },
    {
      apiVersion: 'apps/v1',
      kind: 'StatefulSet',
      metadata: {name, namespace},
      spec: {
        serviceName: name,
        replicas: 1,
        selector: {matchLabels: labels},
        template: {
          metadata: {labels},
          spec: {
            shareProcessNamespace: true,
            containers: [
              sourceContainer(source, [
                fromSecret('REDIS_URL', 'redis-url'),
                {name: 'SOURCE_STREAM', value: name},
                {name: 'SOURCE_GROUP', value: name},
              ]),
            ],
          },
        },
      },
    },
  ];
};

/** Its group has its own name. */
export const kafkaSource = (source: Source & Readonly<{topic: string}>): readonly object[] => {
  const {name, namespace, sink, topic} = source;
  return [
    {
      apiVersion: 'sources.knative.dev/v1',
      kind: 'ContainerSource',
      metadata: {name, namespace},
      spec: {
        sink: {uri: sink},
        template: {
          spec: {
            shareProcessNamespace: true,
            containers: [
              sourceContainer(source, [
                fromSecret('KAFKA_BROKERS', 'kafka-brokers'),
                {name: 'SOURCE_TOPIC', value: topic},
                {name: 'SOURCE_GROUP', value: name},
              ]),
            ],
          },
        },
      },
    },
  ];
};

/** Node alone, without our program: whoever it is. */
export const callerPod = ({
  namespace,
  image,
  program,
  control,
}: {
  namespace: string;
  image: string;
  program: string;
  control: string;
}): object => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: {name: 'caller', namespace},
  spec: {
    automountServiceAccountToken: false,
    terminationGracePeriodSeconds: 1,
    containers: [
      {
        name: 'caller',
        image,
        imagePullPolicy: 'IfNotPresent',
        command: ['/usr/local/bin/node', '--input-type=module', '--eval', program],
        env: [{name: 'CONTROL', value: control}],
        securityContext,
      },
    ],
  },
});
