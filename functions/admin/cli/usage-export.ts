/**
Usage export: `sluice usage export`, an organisation's records, hours or days as CSV or a JSON object a line.

What comes is written as it comes, so a file may be larger than memory: `sluice usage export --org acme > usage.csv`. An export that
breaks off ends with exit code 3, and what was written of it is not whole.
*/
import type {Command} from 'commander';
import type {Context} from './context.ts';
import {findOrg} from './org.ts';

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
}>;

export const usageExportCommand = (usage: Command, context: Context): Command =>
  usage
    .command('export')
    .description('all usage of an organisation, as it comes, this month unless said')
    .option('--org <name-or-id>', 'the only one there is where absent')
    .option('--project <id>')
    .option('--key <id>')
    .option('--model <name>')
    .option('--environment <name>', 'development, staging or production')
    .option('--from <instant>', 'a date or an RFC 3339 instant')
    .option('--to <instant>')
    .option('--granularity <name>', 'record, hour or day', 'record')
    .option('--format <name>', 'csv, or json: one object a line', 'csv')
    .action(async ({org, ...query}: Options) => {
      const client = context.client();
      const found = await findOrg(client, org);
      for await (const text of client.stream('/usage/export', {...query, org: found})) {
        context.out(text);
      }
    });
