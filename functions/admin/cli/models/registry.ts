/**
Registry: `sluice registry register|deregister|enable|disable|list|show|probe|update`: the commands of `sluice model` by the names of the
registry, and with --database-url straight on PostgreSQL, for when the API is down. Gateways follow within a second either way.
*/
import {type Command, Option} from 'commander';
import type {Surroundings} from '../program.ts';
import type {Client} from '../shell/client.ts';
import type {Context} from '../shell/context.ts';
import {Failure} from '../shell/failure.ts';
import {openDirect} from './direct.ts';
import {modelCommands} from './model.ts';

export const registryCommand = (
  program: Command,
  context: Context,
  {environment}: Pick<Surroundings, 'environment'>,
) => {
  const group = program
    .command('registry')
    .description('models as the registry has them, also when its API is down');
  let direct: Client | undefined;
  modelCommands(group, {...context, client: () => direct ?? context.client()}, 'deregister');
  for (const command of group.commands) {
    command.addOption(
      new Option(
        '--database-url [url]',
        'not by the API but straight on PostgreSQL, as sluice_system; without a value DATABASE_URL is taken',
      ).preset(true),
    );
  }
  group.hook('preAction', async (_, command) => {
    const own = command.opts<{databaseUrl?: string | true}>();
    const {databaseUrl: given} = own;
    delete own.databaseUrl;
    if (given === undefined) {
      return;
    }
    const url = given === true ? environment.DATABASE_URL : given;
    if (!url) {
      throw new Failure('usage', '--database-url: give a URL, or set DATABASE_URL');
    }
    const opened = await openDirect(url);
    context.atEnd(opened.close);
    direct = context.clientAt(opened.settings);
  });
};
