/**
Cluster tests: the part of a run that wants a cluster: `test/cluster/`, and `test/dataplane/` once more, on a real data plane.

In: AVA's arguments, or none for all of it; the environment (`cluster.ts`, `test/cluster/README.md`). Out: counts. With CLUSTER=off
nothing runs and each test counts as skipped, because a person said so. One file after the other, on one installation that they share.
*/
import {readdirSync} from 'node:fs';
import {findAddress} from '../cluster/address.ts';
import {provideImage} from '../cluster/cluster-image.ts';
import {createKubectl} from '../cluster/kubectl.ts';
import {runAva} from './ava.ts';
import {openCluster} from './cluster.ts';
import {countTests} from './counting.ts';
import {findNeeds} from './needs.ts';
import {startServices} from './services.ts';
import {say, seconds} from './stage.ts';

export type ClusterCounts = Readonly<{
  passed: number;
  failed: number;
  /** By tests themselves. */
  skipped: number;
  /** Because a person said so. */
  leftOut: number;
}>;

const folders = ['test/cluster', 'test/dataplane'];
const log = 'node_modules/.cache/sluice/cluster.log';

export const clusterFiles = (): string[] =>
  folders.flatMap(folder =>
    readdirSync(folder)
      .filter(name => name.endsWith('.test.ts'))
      .sort()
      .map(name => `${folder}/${name}`),
  );

/** For test files and for the installation: the cluster, where its pods reach this machine, the image that its nodes have. */
const tellEnvironment = async (kubeconfig: string, signal: AbortSignal) => {
  const begun = performance.now();
  const {host} = await findAddress(createKubectl(kubeconfig));
  const image = await provideImage(kubeconfig, {log: say, signal});
  Object.assign(process.env, {
    SLUICE_TEST_KNATIVE: kubeconfig,
    SLUICE_TEST_KNATIVE_HOST: host,
    SLUICE_TEST_IMAGE: image,
  });
  say(`passed  image ${image} (${seconds(begun)})`);
};

export const runClusterTests = async ({
  args,
  verbose,
  signal,
}: {
  args: readonly string[];
  verbose: boolean;
  signal: AbortSignal;
}): Promise<ClusterCounts> => {
  const chosen = args.some(argument => !argument.startsWith('-'))
    ? args
    : [...args, ...clusterFiles()];
  if (process.env.CLUSTER === 'off') {
    const leftOut = await countTests(clusterFiles());
    say(`skipped  ${leftOut} tests that want a cluster: CLUSTER=off`);
    return {passed: 0, failed: 0, skipped: 0, leftOut};
  }
  const begun = performance.now();
  const cluster = await openCluster({log, signal});
  try {
    say(`passed  cluster (${seconds(begun)})`);
    await tellEnvironment(cluster.kubeconfig, signal);
    const needed = await findNeeds(process.cwd(), chosen);
    const services = await startServices(needed, signal);
    try {
      const result = await runAva({
        args: ['--concurrency=1', ...chosen],
        environment: {...process.env, ...services.environment},
        verbose,
        signal,
      });
      return {
        passed: 2 + needed.length + result.passed,
        failed: result.failed,
        skipped: result.skipped,
        leftOut: 0,
      };
    } finally {
      await services.stop();
    }
  } finally {
    await cluster.stop();
  }
};
