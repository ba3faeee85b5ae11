/**
Kubectl: asks a cluster by the program that people ask it with.

In: a kubeconfig, arguments, what goes to its standard input. Out: what it printed; its own words as the error when it failed.
*/
import {execFile} from 'node:child_process';
import {promisify} from 'node:util';

const run = promisify(execFile);
const outputMax = 64 * 1024 * 1024;

export type Kubectl = (args: readonly string[], input?: string) => Promise<string>;

export const createKubectl = (kubeconfig: string): Kubectl =>
  async function kubectl(args, input) {
    const running = run('kubectl', [`--kubeconfig=${kubeconfig}`, ...args], {
      maxBuffer: outputMax,
    });
    // A refusal may come before all of it is read.
    running.child.stdin?.on('error', () => {});
    running.child.stdin?.end(input ?? '');
    return (await running).stdout.trim();
  };
