/**
Cluster tests: the part of a run that wants a cluster: `test/cluster/`, and `test/dataplane/` once more, on a real data plane.

In: AVA's arguments, or none for all of it; the environment (`cluster.ts`, `test/cluster/README.md`). Out: counts. With CLUSTER=off
nothing runs and each test counts as left out, because a person said so; where there is no cluster each counts as skipped, after one line
that says why. All share one installation: first the files that disturb nobody, some at once, then the others one after the other.
*/
import {findAddress} from '../cluster/address.ts';
import {provideImage} from '../cluster/cluster-image.ts';
import {createKubectl} from '../cluster/kubectl.ts';
import {attempt} from './attempt.ts';
import {runAva} from './ava.ts';
import {type Cluster, openCluster, whyNoCluster} from './cluster.ts';
import {clusterFiles, planRuns} from './cluster-plan.ts';
import {countTests} from './counting.ts';
import {findNeeds} from './needs.ts';
import {startServices} from './services.ts';
import {say, seconds} from './stage.ts';

export type ClusterCounts = Readonly<{
  passed: number;
  failed: number;
  /** By tests themselves, or because there is no cluster. */
  skipped: number;
  /** Because a person said so. */
  leftOut: number;
}>;

const log = 'node_modules/.cache/sluice/cluster.log';

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

type RunOptions = Readonly<{args: readonly string[]; verbose: boolean; signal: AbortSignal}>;
type Counts = {-readonly [Name in keyof ClusterCounts]: ClusterCounts[Name]};

const runOn = async (
  {kubeconfig}: Cluster,
  counts: Counts,
  {args, verbose, signal}: RunOptions,
) => {
  await tellEnvironment(kubeconfig, signal);
  counts.passed++;
  const runs = planRuns(args);
  const needed = await findNeeds(process.cwd(), runs.flat());
  const services = await startServices(needed, signal);
  counts.passed += needed.length;
  await attempt(counts, async () => {
    for (const run of runs) {
      const environment = {...process.env, ...services.environment};
      const found = await runAva({args: run, environment, verbose, signal});
      for (const name of ['passed', 'failed', 'skipped'] as const) {
        counts[name] += found[name];
      }
    }
  });
  await services.stop();
};

export const runClusterTests = async (options: RunOptions): Promise<ClusterCounts> => {
  const counts: Counts = {passed: 0, failed: 0, skipped: 0, leftOut: 0};
  const leaveOut = async (name: 'skipped' | 'leftOut', reason: string) => {
    counts[name] = await countTests(clusterFiles());
    say(`skipped  ${counts[name]} tests that want a cluster: ${reason}`);
  };
  if (process.env.CLUSTER === 'off') {
    await leaveOut('leftOut', 'CLUSTER=off');
    return counts;
  }
  const whyNot = whyNoCluster(process.env);
  if (whyNot !== undefined) {
    await leaveOut('skipped', whyNot);
    return counts;
  }
  await attempt(counts, async () => {
    const begun = performance.now();
    const cluster = await openCluster({log, signal: options.signal}).catch(async error => {
      await leaveOut('skipped', 'it did not start');
      throw error;
    });
    say(`passed  cluster (${seconds(begun)})`);
    counts.passed++;
    await attempt(counts, () => runOn(cluster, counts, options));
    await cluster.stop();
  });
  return counts;
};
