/** Database: PostgreSQL with the schema of this release, watched; stage of a start. */
import {join} from 'node:path';
import {installPostgresBroker} from '../../../events/brokers/postgres/broker.ts';
import {prepareDatabase} from '../postgres/database.ts';
import {startPostgres} from '../postgres/postgres.ts';
import {watchPostgres} from '../postgres/watch.ts';
import type {State} from '../state.ts';
import type {Start} from './start.ts';

/** Resolves with how to reach the database in each role. */
export const startDatabase = async ({parts, say, onLost}: Start, state: State) => {
  const {superuserPassword: password} = state.secrets;
  const directory = join(state.folder, 'postgres');
  const postgres = await startPostgres({directory, password, takeover: true, log: say});
  parts.add({name: 'PostgreSQL', stop: postgres.stop});
  const watch = watchPostgres({...postgres, onNote: say, onLost});
  parts.add({name: 'the watch on PostgreSQL', stop: watch.close});
  const {superuserUrl} = postgres;
  const {urlOf} = await prepareDatabase({superuserUrl, secrets: state.secrets});
  await installPostgresBroker({databaseUrl: urlOf('sluice_owner')});
  return urlOf;
};
