/**
Database: makes the embedded PostgreSQL into Sluice's: the owner role, the database, the schema, the roles' passwords.

In: the superuser's URL, the passwords. Out: a URL a role. The superuser is used for this and for nothing else; every step
does nothing when it was done before.
*/
import {prepare} from '../../../schemas/sql/prepare.ts';
import type {Role} from '../../../schemas/sql/roles.ts';
import {StartError} from '../problems.ts';
import type {Secrets} from '../state.ts';

export const prepareDatabase = async ({
  superuserUrl,
  secrets,
  name = 'sluice',
}: {
  superuserUrl: string;
  secrets: Secrets;
  name?: string;
}): Promise<{urlOf: (role: Role) => string; migrated: readonly string[]}> => {
  const urlOf = (role: Role) => {
    const url = new URL(superuserUrl);
    url.username = role;
    url.password = secrets.rolePasswords[role];
    url.pathname = `/${name}`;
    return url.href;
  };
  const migrated = await prepare({
    adminUrl: superuserUrl,
    ownerUrl: urlOf('sluice_owner'),
    passwords: secrets.rolePasswords,
  }).catch(error => {
    throw new StartError(
      `the database cannot be brought to this release: ${(error as Error).message}\n` +
        'Start the release that made it, or start afresh with another --data.',
      {cause: error},
    );
  });
  return {urlOf, migrated};
};
