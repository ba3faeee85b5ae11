/**
Manifests: objects as lint wants them, for tests that break one thing in them.

In: a name, what is different. Out: the object.
*/

/** What lint asks of every container. */
export const wholeContainer = (args: readonly string[] = ['one']) => ({
  image: 'dev.local/sluice:1.0.0',
  args,
  resources: {requests: {cpu: '50m', memory: '64Mi'}, limits: {memory: '256Mi'}},
  readinessProbe: {httpGet: {path: '/healthz'}} as object,
  livenessProbe: {httpGet: {path: '/healthz'}, periodSeconds: 20} as object,
  securityContext: {
    runAsNonRoot: true,
    readOnlyRootFilesystem: true,
    allowPrivilegeEscalation: false,
    capabilities: {drop: ['ALL']},
    seccompProfile: {type: 'RuntimeDefault'},
  },
});

const podOf = (containers: readonly object[]) => ({
  automountServiceAccountToken: false,
  enableServiceLinks: false,
  containers,
});

export const wholeService = (name: string, {seconds = 60}: {seconds?: number} = {}) => ({
  apiVersion: 'serving.knative.dev/v1',
  kind: 'Service',
  metadata: {
    name,
    labels: {'networking.knative.dev/visibility': 'cluster-local'} as Record<string, string>,
    annotations: {} as Record<string, string>,
  },
  spec: {
    template: {
      metadata: {annotations: {'autoscaling.knative.dev/max-scale': '4'} as Record<string, string>},
      spec: {timeoutSeconds: seconds, ...podOf([wholeContainer([name])])},
    },
  },
});

const ported = {httpGet: {path: '/healthz', port: 8080}};

export const wholeSource = (name: string) => ({
  apiVersion: 'sources.knative.dev/v1',
  kind: 'ContainerSource',
  metadata: {name},
  spec: {
    sink: {ref: {apiVersion: 'serving.knative.dev/v1', kind: 'Service', name: 'one'}},
    template: {
      spec: {
        terminationGracePeriodSeconds: 90,
        ...podOf([
          {
            ...wholeContainer(['source']),
            env: [{name: 'SOURCE_TOPIC', value: name}],
            readinessProbe: ported,
            livenessProbe: ported,
          },
        ]),
      },
    },
  },
});

export const wholeJob = (name: string) => ({
  apiVersion: 'batch/v1',
  kind: 'Job',
  metadata: {name},
  spec: {
    template: {
      spec: {
        restartPolicy: 'Never',
        ...podOf([wholeContainer(['migrate'])]),
        initContainers: [wholeContainer(['wait-for'])],
      },
    },
  },
});
