/**
Prepare: brings an empty PostgreSQL, or one of an earlier release, to this release: roles, database, schema, passwords.

In: the URL of somebody who may make roles and databases, the owner's URL (whose path names the database), the passwords. Out: the
names of the migrations that were applied now. What was done before is not done again; two at once wait for each other.
*/
import pg from 'pg';
import {migrate} from './migrate.ts';
import {
  administer,
  makeDatabase,
  makeOwner,
  type Passwords,
  type Role,
  roles,
  setPassword,
} from './roles.ts';

export const prepare = ({
  adminUrl,
  ownerUrl,
  passwords,
}: {
  adminUrl: string;
  ownerUrl: string;
  passwords: Passwords;
}): Promise<string[]> =>
  administer({adminUrl}, async client => {
    await makeOwner(client, passwords.sluice_owner);
    await makeDatabase(client, decodeURIComponent(new URL(ownerUrl).pathname.slice(1)));
    const applied = await migrate({databaseUrl: ownerUrl});
    await setOthers(ownerUrl, passwords);
    return applied;
  });

/** As the owner: it made them, and from PostgreSQL 16 on an administrator who did not may not. */
const setOthers = async (ownerUrl: string, passwords: Passwords) => {
  const client = new pg.Client({connectionString: ownerUrl});
  await client.connect();
  try {
    for (const role of roles.filter((name): name is Role => name !== 'sluice_owner')) {
      await setPassword(client, role, passwords[role]);
    }
  } finally {
    await client.end();
  }
};
