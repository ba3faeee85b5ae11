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
