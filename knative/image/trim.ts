/**
Trim: what packages do at their start that no function needs, taken out of the bundles.

In: an esbuild build. Out: the same packages with these files changed. A change that does not find what it changes fails the build, so
that a new version of a package is looked at.
*/
import {readFileSync} from 'node:fs';
import type {Plugin} from 'esbuild';

const kafkajs: Plugin = {
  name: 'kafkajs',
  setup(build) {
    // At run time `events/kafka/mend.ts` puts ours in its place, which it cannot in a bundle.
    build.onLoad(
      {filter: /kafkajs[\\/]src[\\/]producer[\\/]groupMessagesPerPartition\.js$/},
      () => ({
        contents: `module.exports = require('./events/kafka/grouping.ts').group;`,
        resolveDir: build.initialOptions.absWorkingDir ?? '.',
      }),
    );
  },
};

export const trimmed: readonly Plugin[] = [kafkajs];
