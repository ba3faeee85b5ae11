/**
Postgres errors: the ways in which the embedded PostgreSQL does not start, each with what to do about it.

In: what was tried and what came back. Out: an error whose message can be shown to a person as it stands.
*/
export type EmbeddedPostgresFault =
  | 'port_in_use'
  | 'no_space'
  | 'no_permission'
  | 'unsupported_platform'
  | 'failed';

export class EmbeddedPostgresError extends Error {
  override readonly name = 'EmbeddedPostgresError';
  readonly code: EmbeddedPostgresFault;

  constructor(code: EmbeddedPostgresFault, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

export class DataFolderInUse extends Error {
  override readonly name = 'DataFolderInUse';
  readonly directory: string;
  readonly pid: number;

  constructor(directory: string, pid: number) {
    super(`the data folder ${directory} is in use by a running PostgreSQL (process ${pid})`);
    this.directory = directory;
    this.pid = pid;
  }
}

/** Tells from a program's output, or from a thrown error of the file system, what a person can do. */
export const explain = (what: string, directory: string, output: string): EmbeddedPostgresError => {
  const tail = output.trim().split('\n').slice(-15).join('\n');
  if (/No space left on device|ENOSPC/.test(output)) {
    return new EmbeddedPostgresError(
      'no_space',
      `no space is left for PostgreSQL's data in ${directory}`,
    );
  }
  if (/Address already in use|could not bind/.test(output)) {
    return new EmbeddedPostgresError(
      'port_in_use',
      `PostgreSQL's port is in use by another program\n${tail}`,
    );
  }
  if (/Permission denied|EACCES|EPERM|EROFS|Read-only file system/.test(output)) {
    return new EmbeddedPostgresError(
      'no_permission',
      `PostgreSQL may not write to ${directory}: ${tail}`,
    );
  }
  return new EmbeddedPostgresError('failed', `${what} failed:\n${tail}`);
};
