/**
Base: the layer that changes only with Node: its program, the libraries it is linked with, who runs it, whom it trusts.

In: a program of Node on Linux. Out: the entries of the layer. There is no shell, no package manager and no other program.
*/
import {execFileSync} from 'node:child_process';
import {realpathSync} from 'node:fs';
import {dirname} from 'node:path';
import {rootCertificates} from 'node:tls';
import type {Entry} from './tar.ts';

/** Who runs it: a number that distroless images use too, and no name that the kubelet could not tell from root. */
export const user = 65532;

/** The loader and every library, at the places where the program looks for them. */
export const librariesOf = (program: string): readonly string[] => [
  ...new Set(
    [...execFileSync('ldd', [program], {encoding: 'utf8'}).matchAll(/(\/\S+) \(0x/g)].map(
      ([, path]) => path as string,
    ),
  ),
];

const passwd = [
  'root:x:0:0:root:/:/sbin/nologin',
  `sluice:x:${user}:${user}:sluice:/app:/sbin/nologin`,
].join('\n');
const group = ['root:x:0:', `sluice:x:${user}:`].join('\n');

/** Those that Node trusts by itself, for whatever asks the system. */
const certificates = () => `${rootCertificates.join('\n')}\n`;

const withFolders = (files: readonly Entry[]): readonly Entry[] => {
  const folders = new Set<string>();
  for (const {path} of files) {
    for (let folder = dirname(path); folder !== '.'; folder = dirname(folder)) {
      folders.add(folder);
    }
  }
  const made = [...folders].map(path => ({path, mode: 0o755, kind: 'folder'}) as const);
  return [...made, ...files].sort((a, b) => (a.path < b.path ? -1 : 1));
};

export const baseLayer = (program: string): readonly Entry[] => [
  ...withFolders([
    {path: 'etc/passwd', mode: 0o644, kind: 'text', content: `${passwd}\n`},
    {path: 'etc/group', mode: 0o644, kind: 'text', content: `${group}\n`},
    {path: 'etc/nsswitch.conf', mode: 0o644, kind: 'text', content: 'hosts: files dns\n'},
    {path: 'etc/ssl/certs/ca-certificates.crt', mode: 0o644, kind: 'text', content: certificates()},
    {path: 'usr/local/bin/node', mode: 0o755, kind: 'file', from: realpathSync(program)},
    ...librariesOf(program).map(
      (library): Entry => ({
        path: library.slice(1),
        mode: 0o755,
        kind: 'file',
        from: realpathSync(library),
      }),
    ),
  ]),
  {path: 'tmp', mode: 0o1777, kind: 'folder'},
];

export {withFolders};
