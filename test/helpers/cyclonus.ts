/**
Cyclonus: what NetworkPolicies allow, as github.com/mattfenwick/cyclonus reads them: a program that this project did not write.

In: its path; policies; connections. Out: for each connection whether it is allowed. Twice: it is also asked without its own
simplification of the policies, and what it answers differently is an error: neither answer would prove anything.
*/
import {execFile} from 'node:child_process';
import {mkdtemp, rm, writeFile} from 'node:fs/promises';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {promisify} from 'node:util';

/** `pod` is absent for an address that belongs to no pod. */
export type End = Readonly<{
  ip: string;
  pod?: Readonly<{namespace: string; labels: Readonly<Record<string, string>>}>;
}>;

export type Connection = Readonly<{from: End; to: End; port: number; protocol: 'TCP' | 'UDP'}>;

export type Policy = Readonly<{
  metadata: Readonly<{name: string; namespace: string}>;
  spec: Readonly<Record<string, unknown>>;
}>;

const execute = promisify(execFile);
const megabyte = 1024 * 1024;

export const createCyclonus = (program: string) =>
  async function isAllowed(
    policies: readonly Policy[],
    connections: readonly Connection[],
    {twice = true}: {twice?: boolean} = {},
  ): Promise<readonly boolean[]> {
    const folder = await mkdtemp(join(tmpdir(), 'sluice-network-'));
    try {
      const policyPath = join(folder, 'policies.json');
      const trafficPath = join(folder, 'traffic.json');
      await writeFile(policyPath, JSON.stringify(toList(policies)));
      await writeFile(trafficPath, JSON.stringify(connections.map(toTraffic)));
      const ask = async (simplify: boolean) => {
        const {stdout} = await execute(
          program,
          [
            ...['analyze', '--mode', 'query-traffic', `--simplify-policies=${simplify}`],
            ...['--policy-path', policyPath, '--traffic-path', trafficPath],
          ],
          {maxBuffer: 512 * megabyte},
        );
        return readAnswers(stdout, connections.length);
      };
      const simplified = await ask(true);
      const plain = twice ? await ask(false) : simplified;
      const differing = plain.findIndex((answer, index) => answer !== simplified[index]);
      if (differing !== -1) {
        throw new Error(
          `cyclonus contradicts itself: ${JSON.stringify(connections[differing])} is ${plain[differing]}, simplified ${simplified[differing]}`,
        );
      }
      return plain;
    } finally {
      await rm(folder, {recursive: true});
    }
  };

const toList = (policies: readonly Policy[]) => ({
  apiVersion: 'networking.k8s.io/v1',
  kind: 'NetworkPolicyList',
  items: policies,
});

const toTraffic = ({from, to, port, protocol}: Connection) => ({
  Source: toPeer(from),
  Destination: toPeer(to),
  Protocol: protocol,
  ResolvedPort: port,
});

/** The API server puts this label on every namespace; policies select by it. */
const toPeer = ({ip, pod}: End) => ({
  IP: ip,
  ...(pod && {
    Internal: {
      Namespace: pod.namespace,
      NamespaceLabels: {'kubernetes.io/metadata.name': pod.namespace},
      PodLabels: pod.labels,
    },
  }),
});

const readAnswers = (output: string, expected: number): readonly boolean[] => {
  const answers = [...output.matchAll(/IS ALLOWED\? +\| +(TRUE|FALSE) /g)];
  if (answers.length !== expected) {
    throw new Error(
      `cyclonus answered ${answers.length} of ${expected} questions:\n${output.slice(-2_000)}`,
    );
  }
  return answers.map(([, answer]) => answer === 'TRUE');
};
