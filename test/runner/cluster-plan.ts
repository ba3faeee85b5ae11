/**
Cluster plan: which files want a cluster, and which of them run at once.

In: AVA's arguments, or none for all files. Out: the arguments for each of AVA's runs.
*/
import {readdirSync} from 'node:fs';

const folders = ['test/cluster', 'test/dataplane'];

/** One after the other, once all others are done: they bring shared functions to zero, end their pods, or replace the release. */
const alone = ['load', 'rolling', 'tokens', 'upgrade', 'zero'].map(
  name => `test/cluster/${name}.test.ts`,
);
/** More than there are cores: what the others do most is to wait. */
const atOnce = 3;

export const clusterFiles = (): string[] =>
  folders.flatMap(folder =>
    readdirSync(folder)
      .filter(name => name.endsWith('.test.ts'))
      .sort()
      .map(name => `${folder}/${name}`),
  );

/** AVA's arguments for each of its runs. What is no plain list of our files is one run, one file after the other. */
export const planRuns = (args: readonly string[]): string[][] => {
  const options = args.filter(argument => argument.startsWith('-'));
  const named = args.filter(argument => !argument.startsWith('-'));
  const known = clusterFiles();
  const files = named.length > 0 ? named : known;
  const isPlain = options.length === 0 && files.every(file => known.includes(file));
  const beside = isPlain ? files.filter(file => !alone.includes(file)) : [];
  const runs = [
    {count: atOnce, files: beside},
    {count: 1, files: files.filter(file => !beside.includes(file))},
  ];
  return runs
    .filter(run => run.files.length > 0)
    .map(run => [`--concurrency=${run.count}`, ...options, ...run.files]);
};
