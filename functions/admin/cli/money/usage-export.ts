/**
Usage export: `sluice usage export`, an organisation's records, hours or days as CSV or a JSON object a line.

What comes is written as it comes, so a file may be larger than memory: `sluice usage export --org acme > usage.csv`. An export that
breaks off ends with exit code 3, and what was written of it is not whole. With --file there is a file only when it is whole, and nobody
else may read it: it names projects, keys and costs.
*/
import {once} from 'node:events';
import {createWriteStream} from 'node:fs';
import {rename, rm} from 'node:fs/promises';
import type {Command} from 'commander';
import type {Context} from '../shell/context.ts';
import {Failure} from '../shell/failure.ts';
import {usageOwner} from './usage.ts';

type Options = Readonly<{
  org?: string;
  project?: string;
  key?: string;
  model?: string;
  environment?: string;
  from?: string;
  to?: string;
  granularity?: string;
  format?: string;
  file?: string;
}>;

export const usageExportCommand = (usage: Command, context: Context): Command =>
  usage
    .command('export')
    .description('all usage of an organisation, as it comes, this month unless said')
    .option('--org <name-or-id>', 'the only one there is where absent')
    .option('--project <name-or-id>', 'of this project only')
    .option('--key <name-or-id>', 'of this key only')
    .option('--model <name>', 'of this model only')
    .option('--environment <name>', 'development, staging or production')
    .option('--from <instant>', 'a date or an RFC 3339 instant')
    .option('--to <instant>', 'the first instant after; now where absent')
    .option('--granularity <name>', 'record, hour or day', 'record')
    .option('--format <name>', 'csv, or json: one object a line', 'csv')
    .option(
      '--file <path>',
      'written there, readable by its owner alone; standard output where absent',
    )
    .action(async ({org, project, key, file, ...query}: Options) => {
      const client = context.client();
      const owner = await usageOwner(client, {org, project, key});
      const texts = client.stream('/usage/export', {...query, ...owner});
      if (file === undefined) {
        for await (const text of texts) {
          context.out(text);
        }
        return;
      }
      const bytes = await context.progress(`writing ${file}`, () => writeWhole(file, texts));
      context.err(`wrote ${bytes} bytes to ${file}\n`);
    });

const writeWhole = async (file: string, texts: AsyncIterable<string>): Promise<number> => {
  const partial = `${file}.partial`;
  const sink = createWriteStream(partial, {mode: 0o600});
  const broken = once(sink, 'error').then(([error]) => {
    throw new Failure('failed', `${file} cannot be written: ${(error as Error).message}`, error);
  });
  broken.catch(() => {});
  try {
    for await (const text of texts) {
      if (!sink.write(text)) {
        await Promise.race([once(sink, 'drain'), broken]);
      }
    }
    await Promise.race([new Promise<void>(resolve => sink.end(resolve)), broken]);
    await rename(partial, file);
    return sink.bytesWritten;
  } catch (error) {
    sink.destroy();
    await rm(partial, {force: true});
    throw error;
  }
};
