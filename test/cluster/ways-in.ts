/**
Ways in: where the functions of an installation are found.

In: `kubectl`, the namespace; `SLUICE_TEST_INGRESS` (`address:port`) where the public gateway is not Kourier's Service. Out: what
`way-in.ts` takes, once every function has its names.
*/
import {eventually} from '../helpers/eventually.ts';
import type {Kubectl} from './kubectl.ts';
import type {WaysIn} from './way-in.ts';

type KnativeServices = Readonly<{
  items: readonly Readonly<{
    metadata: {name: string; annotations?: Record<string, string>};
    status?: {url?: string; address?: {url?: string}};
  }>[];
}>;

const clusterIp = async (kubectl: Kubectl, namespace: string, name: string) =>
  `${await kubectl([
    ...['-n', namespace, 'get', 'service', name],
    ...['-o', 'jsonpath={.spec.clusterIP}'],
  ])}:80`;

/** Knative gives a Service the name of the gateway within the cluster, whichever gateway that is. */
const localGateway = async (kubectl: Kubectl, namespace: string, service: string) => {
  const target = await kubectl([
    ...['-n', namespace, 'get', 'service', service],
    ...['-o', 'jsonpath={.spec.externalName}'],
  ]);
  const [name = '', its = ''] = target.split('.');
  if (its === '') {
    throw new Error(`the Service ${service} has no gateway as yet`);
  }
  return await clusterIp(kubectl, its, name);
};

export const findWaysIn = async (kubectl: Kubectl, namespace: string): Promise<WaysIn> =>
  await eventually(
    async () => {
      const {items}: KnativeServices = JSON.parse(
        await kubectl(['-n', namespace, 'get', 'ksvc', '-o', 'json']),
      );
      const services = items.map(({metadata, status}) => {
        const url = status?.url;
        const localUrl = status?.address?.url;
        if (!url || !localUrl) {
          throw new Error(`${metadata.name} has no URL as yet`);
        }
        const paths = metadata.annotations?.['sluice.dev/paths'] ?? '';
        return [
          metadata.name,
          {
            paths: paths.split(',').flatMap(path => (path.trim() === '' ? [] : [path.trim()])),
            url,
            localUrl,
          },
        ] as const;
      });
      const [first] = services;
      if (first === undefined) {
        throw new Error(`no Knative Service is in ${namespace}`);
      }
      return {
        gateways: {
          public:
            process.env.SLUICE_TEST_INGRESS ??
            (await clusterIp(kubectl, 'kourier-system', 'kourier')),
          local: await localGateway(kubectl, namespace, first[0]),
        },
        services: Object.fromEntries(services),
      };
    },
    {timeoutMs: 300_000, intervalMs: 250},
  );
