/**
Doctor, platform: this machine (Node, the disk), the provider of logins, and the Brokers of a cluster where one is at hand.
*/
import {statfsSync} from 'node:fs';
import {kubeSourceOf} from '../deployment/kubeconfig.ts';
import {type Environment, type Finding, fail, ok, reasonOf, warn} from './finding.ts';

const nodeMin = 22;
const freeMin = 0.1;
const freeBytesMin = 1024 ** 3;

export const checkNode = (version = process.versions.node): Finding =>
  Number(version.split('.')[0]) >= nodeMin
    ? ok('Node.js', `version ${version}`)
    : fail('Node.js', `version ${version}`, `install ${nodeMin} or later`);

export const checkDisk = (folder: string): Finding => {
  const {bsize, blocks, bavail} = statfsSync(folder);
  const free = bsize * bavail;
  const found = `${(free / 1024 ** 3).toFixed(1)} GiB free at ${folder}`;
  return free < freeBytesMin && bavail < blocks * freeMin
    ? warn('disk', found, 'make room: PostgreSQL and Kafka stop when it is full')
    : ok('disk', found);
};

export const checkIssuer = async (issuer: string, timeoutMs: number): Promise<Finding> => {
  const check = 'OpenID provider';
  const url = `${issuer.replace(/\/+$/, '')}/.well-known/openid-configuration`;
  try {
    const response = await fetch(url, {signal: AbortSignal.timeout(timeoutMs)});
    const found = (await response.json()) as {issuer?: string; jwks_uri?: string};
    if (!response.ok || !found.jwks_uri) {
      return fail(
        check,
        `${url} answers ${response.status} with no description of a provider`,
        'is OIDC_ISSUER the issuer’s own URL?',
      );
    }
    return found.issuer === issuer || found.issuer === issuer.replace(/\/+$/, '')
      ? ok(check, `${found.issuer} answers`)
      : fail(
          check,
          `it calls itself ${found.issuer}, so its tokens are refused`,
          `OIDC_ISSUER=${found.issuer}`,
        );
  } catch (error) {
    return fail(
      check,
      `${url}: ${reasonOf((error as Error).cause ?? error)}`,
      'is OIDC_ISSUER right, and can the provider be reached from here?',
    );
  }
};

type Broker = Readonly<{
  metadata?: {name?: string; namespace?: string; annotations?: Readonly<Record<string, string>>};
}>;

/** None where no cluster is at hand. */
export const checkBrokers = async (environment: Environment): Promise<Finding[]> => {
  const source = kubeSourceOf(environment, undefined);
  if (!source) {
    return [];
  }
  try {
    const {CustomObjectsApi, KubeConfig} = await import('@kubernetes/client-node');
    const config = new KubeConfig();
    if (source === 'in-cluster') {
      config.loadFromCluster();
    } else {
      config.loadFromFile(source.file);
    }
    const {items} = await config.makeApiClient(CustomObjectsApi).listClusterCustomObject({
      group: 'eventing.knative.dev',
      version: 'v1',
      plural: 'brokers',
    });
    return (items as readonly Broker[]).map(brokerFinding);
  } catch (error) {
    return [
      warn(
        'Knative brokers',
        `the cluster tells nothing of them: ${reasonOf((error as Error).cause ?? error)}`,
        'is KUBECONFIG right, and may this account list brokers.eventing.knative.dev?',
      ),
    ];
  }
};

const brokerFinding = ({metadata}: Broker): Finding => {
  const check = `Broker ${metadata?.namespace}/${metadata?.name}`;
  const kind =
    metadata?.annotations?.['eventing.knative.dev/broker.class'] ?? 'MTChannelBasedBroker';
  return kind === 'Kafka'
    ? ok(check, 'of the class Kafka')
    : warn(
        check,
        `of the class ${kind}: what waits in it is lost with its pod`,
        'the class Kafka keeps it; hints may be lost, npm run lint:knative says what is none',
      );
};
