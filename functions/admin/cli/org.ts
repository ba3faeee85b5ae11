/**
Org: which organisation a command is about.

In: an id, a name, or nothing. Out: its id. With nothing said it is the only one there is.
*/
import {isUuid} from '../../../events/uuid.ts';
import type {Client, Item} from './client.ts';
import {Failure} from './failure.ts';

export const findOrg = async (client: Client, given: string | undefined): Promise<string> => {
  if (given !== undefined && isUuid(given.toLowerCase())) {
    return given.toLowerCase();
  }
  if (given !== undefined) {
    const {data} = await client.get<{data: Item[]}>('/orgs', {name: given});
    if (!data[0]) {
      throw new Failure('notFound', `there is no organisation "${given}"`);
    }
    return String(data[0].id);
  }
  const {data} = await client.get<{data: Item[]}>('/orgs', {limit: '10'});
  if (data.length === 0) {
    throw new Failure('notFound', 'there is no organisation yet');
  }
  if (data.length > 1) {
    const names = data.map(({name}) => JSON.stringify(name)).join(', ');
    throw new Failure('usage', `there are several organisations: give --org, such as ${names}`);
  }
  return String(data[0]?.id);
};
