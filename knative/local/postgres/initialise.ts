/**
Postgres initialise: makes a data folder.

In: an empty or absent folder, the superuser's password. Out: a database cluster that asks for passwords (SCRAM) and
sorts by code point, the same on every platform.
*/
import {existsSync, mkdirSync, readdirSync, renameSync, rmSync, writeFileSync} from 'node:fs';
import {type Account, give, type Programs} from './account.ts';
import {run} from './control.ts';
import {EmbeddedPostgresError, explain} from './errors.ts';

/** Into a folder beside it, then renamed: a run that is killed in the middle leaves nothing that looks like a database. */
export const initialise = async ({
  account,
  programs,
  directory,
  password,
  fsync,
}: {
  account: Account | undefined;
  programs: Programs;
  directory: string;
  password: string;
  fsync: boolean;
}) => {
  const draft = `${directory}.new`;
  const passwordFile = `${directory}.password`;
  try {
    if (existsSync(directory) && readdirSync(directory).length > 0) {
      throw new EmbeddedPostgresError(
        'failed',
        `${directory} is not empty and holds no database; choose another data folder`,
      );
    }
    rmSync(draft, {recursive: true, force: true});
    rmSync(passwordFile, {force: true});
    mkdirSync(draft, {mode: 0o700});
    writeFileSync(passwordFile, `${password}\n`, {mode: 0o600, flag: 'wx'});
    give(account, draft);
    give(account, passwordFile);
    const {code, output} = await run(account, programs.initdb, [
      `--pgdata=${draft}`,
      '--username=postgres',
      `--pwfile=${passwordFile}`,
      '--auth=scram-sha-256',
      '--encoding=UTF8',
      '--locale=C',
      '--locale-provider=builtin',
      '--builtin-locale=C.UTF-8',
      ...(fsync ? [] : ['--no-sync']),
    ]);
    if (code !== 0) {
      throw explain('initdb', directory, output);
    }
    renameSync(draft, directory);
  } catch (error) {
    rmSync(draft, {recursive: true, force: true});
    throw error instanceof EmbeddedPostgresError
      ? error
      : explain('initdb', directory, String(error));
  } finally {
    rmSync(passwordFile, {force: true});
  }
};
