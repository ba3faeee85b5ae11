/** Version: `sluice version`: of this command, of the API that it speaks, of Node. */
import {readFileSync} from 'node:fs';
import type {Command} from 'commander';
import {apiVersion} from '../client/operations.ts';
import {type Context, type Format, showItem, withFormat} from './shell/context.ts';

export const ownVersion = (): string =>
  (
    JSON.parse(readFileSync(new URL('../../../package.json', import.meta.url), 'utf8')) as {
      version: string;
    }
  ).version;

export const versionCommand = (program: Command, context: Context) => {
  program.version(ownVersion(), '-V, --version', 'the version of this command');
  withFormat(program.command('version'))
    .description('the versions of this command, of the API that it speaks, of Node')
    .action((format: Format) =>
      showItem(context, format, {
        columns: ['sluice', 'api', 'node', 'platform'].map(name => ({name})),
        item: {
          sluice: ownVersion(),
          api: apiVersion,
          node: process.versions.node,
          platform: `${process.platform} ${process.arch}`,
        },
      }),
    );
};
