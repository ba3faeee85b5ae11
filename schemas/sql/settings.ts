/**
Settings of a migration: which URLs it needs, and whose they have to be.

In: the environment. Out: the owner's URL, with an administrator's also that and the four passwords; or a SettingsError with every
complaint. No complaint repeats a URL: there are passwords in it.
*/
import {type Passwords, type Role, roles} from './roles.ts';

export type MigrationSettings =
  | Readonly<{ownerUrl: string}>
  | Readonly<{ownerUrl: string; adminUrl: string; passwords: Passwords}>;

export class SettingsError extends Error {
  override readonly name = 'SettingsError';
}

const variables: Readonly<Record<Role, string>> = {
  sluice_owner: 'DATABASE_URL',
  sluice_tenant: 'TENANT_DATABASE_URL',
  sluice_gateway: 'GATEWAY_DATABASE_URL',
  sluice_system: 'SYSTEM_DATABASE_URL',
};

const parsed = (text: string | undefined): URL | undefined =>
  text !== undefined && /^postgres(ql)?:\/\//.test(text) && URL.canParse(text)
    ? new URL(text)
    : undefined;

export const readMigration = (environment: NodeJS.ProcessEnv): MigrationSettings => {
  const complaints: string[] = [];
  const urlOf = (variable: string): URL | undefined => {
    const text = environment[variable] || undefined;
    const url = parsed(text);
    if (!url) {
      complaints.push(
        `${variable}: expected a URL with postgres:, ${text ? 'got something else' : 'but it is not set'}`,
      );
    }
    return url;
  };
  if (!environment.ADMIN_DATABASE_URL) {
    const owner = urlOf(variables.sluice_owner);
    refuse(complaints);
    return {ownerUrl: (owner as URL).href};
  }
  const admin = urlOf('ADMIN_DATABASE_URL');
  const passwords = Object.fromEntries(
    roles.map(role => {
      const url = urlOf(variables[role]);
      if (url && decodeURIComponent(url.username) !== role) {
        complaints.push(`${variables[role]}: expected the user ${role}`);
      }
      if (url && url.password === '') {
        complaints.push(`${variables[role]}: expected a password, which ${role} is given`);
      }
      return [role, decodeURIComponent(url?.password ?? '')];
    }),
  ) as Passwords;
  const ownerUrl = parsed(environment.DATABASE_URL);
  if (ownerUrl && ownerUrl.pathname.length < 2) {
    complaints.push('DATABASE_URL: expected the name of a database');
  }
  refuse(complaints);
  return {ownerUrl: (ownerUrl as URL).href, adminUrl: (admin as URL).href, passwords};
};

const refuse = (complaints: readonly string[]) => {
  if (complaints.length > 0) {
    throw new SettingsError(complaints.join('; '));
  }
};
