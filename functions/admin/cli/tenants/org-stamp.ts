/**
Org stamp: `sluice org stamp`, what Triggers of an organisation ask for (`charts/tenant`, value `stamp`).

In: the organisation, the key of stamps by `STAMP_KEY`. Out: the stamp. It is made here and not by the API: who installs a tenant may
read the Secret that has the key, and no server that people log in to has to know it.
*/
import type {Command} from 'commander';
import {type ConfigError, readConfig} from '../../../../events/config.ts';
import {createStamps, stampKey} from '../../../../events/org-stamp.ts';
import {isUuid} from '../../../../events/uuid.ts';
import type {Surroundings} from '../program.ts';
import {type Context, type Format, showItem, withFormat} from '../shell/context.ts';
import {Failure} from '../shell/failure.ts';
import type {Column} from '../shell/table.ts';
import {findOrg} from './org.ts';

/** The stamp first, so that it is what `--quiet` prints. */
const columns: readonly Column[] = [{name: 'stamp'}, {name: 'organisation'}];

export const orgStampCommand = (
  org: Command,
  context: Context,
  {environment}: Pick<Surroundings, 'environment'>,
) => {
  withFormat(org.command('stamp <name-or-id>'))
    .description('what its Triggers ask for, made with STAMP_KEY; for who installs charts/tenant')
    .action(async (given: string, format: Format) => {
      const stampOf = createStamps(readKey(environment));
      const id = given.toLowerCase();
      // An id wants no server, nor that one is known.
      const organisation = isUuid(id) ? id : await findOrg(context.client(), given);
      showItem(context, format, {columns, item: {stamp: stampOf(organisation), organisation}});
    });
};

const readKey = (environment: Surroundings['environment']): string => {
  try {
    return readConfig(environment, {STAMP_KEY: stampKey}).STAMP_KEY;
  } catch (error) {
    const [complaint = ''] = (error as ConfigError).complaints;
    throw new Failure('usage', `${complaint}; it is the key stamp-key of the Secret sluice`);
  }
};
