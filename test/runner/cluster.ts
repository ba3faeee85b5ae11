/**
Cluster: the Kubernetes with Knative that the tests of `test/cluster/` run on.

In: `KUBECONFIG`, one that is there; or `CLUSTER_UP`, a command that starts one, with `CLUSTER_DOWN` that ends it and
`CLUSTER_KUBECONFIG`, where its kubeconfig is then; or `CLUSTER_MISSING`, why there can be none. Out: the kubeconfig, and an end, which
leaves a cluster that was there alone.
What the commands say goes to a file; the last of it is told when one fails.
*/
import {spawn} from 'node:child_process';
import {once} from 'node:events';
import {createWriteStream, readFileSync} from 'node:fs';
import {mkdir} from 'node:fs/promises';
import {dirname} from 'node:path';
import {ServiceFailed} from './service-failed.ts';

export type Cluster = Readonly<{kubeconfig: string; stop(): Promise<void>}>;

const startMaxMs = 50 * 60_000;
const stopMaxMs = 5 * 60_000;
const graceMs = 20_000;
const linesShown = 60;

const advice =
  'there is no cluster: name one by KUBECONFIG, or a command that starts one by CLUSTER_UP, or leave these tests out by CLUSTER=off';

/** Undefined: there is one, or a way to one. */
export const whyNoCluster = ({
  KUBECONFIG,
  CLUSTER_UP,
  CLUSTER_KUBECONFIG,
  CLUSTER_MISSING,
}: NodeJS.ProcessEnv): string | undefined =>
  KUBECONFIG || (CLUSTER_UP && CLUSTER_KUBECONFIG) ? undefined : CLUSTER_MISSING || advice;

/** A group of its own: what a shell has started ends with it, and not by a Ctrl-C that is meant for us. */
const runCommand = async (command: string, log: string, signal: AbortSignal): Promise<number> => {
  await mkdir(dirname(log), {recursive: true});
  const file = createWriteStream(log, {flags: 'a'});
  await once(file, 'open');
  const child = spawn('/bin/sh', ['-c', command], {
    detached: true,
    stdio: ['ignore', file, file],
  });
  const tell = (name: NodeJS.Signals) => {
    try {
      process.kill(-(child.pid as number), name);
    } catch {
      // All of it has ended.
    }
  };
  const stop = () => {
    tell('SIGTERM');
    setTimeout(() => tell('SIGKILL'), graceMs).unref();
  };
  signal.addEventListener('abort', stop, {once: true});
  if (signal.aborted) {
    stop();
  }
  const [code] = (await once(child, 'close')) as [number | null];
  signal.removeEventListener('abort', stop);
  file.end();
  return code ?? 1;
};

const tail = (log: string) =>
  readFileSync(log, 'utf8').trimEnd().split('\n').slice(-linesShown).join('\n');

export const openCluster = async ({
  environment = process.env,
  log,
  signal,
}: {
  environment?: NodeJS.ProcessEnv;
  log: string;
  signal: AbortSignal;
}): Promise<Cluster> => {
  const {KUBECONFIG, CLUSTER_UP, CLUSTER_DOWN, CLUSTER_KUBECONFIG} = environment;
  if (KUBECONFIG) {
    return {kubeconfig: KUBECONFIG, stop: async () => {}};
  }
  if (!CLUSTER_UP || !CLUSTER_KUBECONFIG) {
    throw new ServiceFailed(whyNoCluster(environment) ?? advice);
  }
  const stop = async () => {
    if (!CLUSTER_DOWN) {
      return;
    }
    const code = await runCommand(CLUSTER_DOWN, log, AbortSignal.timeout(stopMaxMs));
    if (code !== 0) {
      throw new ServiceFailed(
        `the cluster did not stop (${CLUSTER_DOWN} ended with ${code}); the last of ${log}:\n${tail(log)}`,
      );
    }
  };
  const code = await runCommand(
    CLUSTER_UP,
    log,
    AbortSignal.any([signal, AbortSignal.timeout(startMaxMs)]),
  );
  if (code !== 0 || signal.aborted) {
    const words = signal.aborted
      ? 'the cluster was stopped while it started'
      : `the cluster did not start (${CLUSTER_UP} ended with ${code}); the last of ${log}:\n${tail(log)}`;
    // Why it did not start counts for more, and what it left behind is said too.
    const left = await stop().then(
      () => '',
      (error: Error) => `\n${error.message}`,
    );
    throw new ServiceFailed(words + left);
  }
  return {kubeconfig: CLUSTER_KUBECONFIG, stop};
};
