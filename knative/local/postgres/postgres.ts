/**
Postgres: an embedded PostgreSQL on this machine, for `npm start` and the tests.

In: a data folder, a superuser password. Out: a running server on 127.0.0.1, and `stop`. It runs in a session of its own,
so that Ctrl-C reaches it only through us, after everything that writes to it has drained. Whoever starts it holds a lock
of their own on the folder: `takeover` stops a server that a killed run left behind, whoever uses it.
*/
import {existsSync, mkdirSync} from 'node:fs';
import {createServer} from 'node:net';
import {dirname, join, resolve} from 'node:path';
import {
  type Account,
  chooseAccount,
  findPrograms,
  type Programs,
  reachablePrograms,
  requireReachable,
} from './account.ts';
import {type Control, createControl, removeDeadMark, runningPid} from './control.ts';
import {DataFolderInUse, EmbeddedPostgresError, explain} from './errors.ts';
import {initialise} from './initialise.ts';

export {DataFolderInUse, EmbeddedPostgresError};

type Options = Readonly<{
  directory: string;
  /** 0 takes a free one. */
  port?: number;
  /** Where it listens besides 127.0.0.1; `pg_hba.conf` of the folder says from where somebody may come. */
  addresses?: readonly string[];
  /** Of the role `postgres`; set when the data folder is new, asked for by `superuserUrl` ever after. */
  password: string;
  /** False only for data that nobody misses. */
  fsync?: boolean;
  /** Stop a server that still runs on the data folder, instead of refusing to start. */
  takeover?: boolean;
  log?: (line: string) => void;
}>;

export type Postgres = Readonly<{
  port: number;
  superuserUrl: string;
  isRunning(): boolean;
  /** After it died: on the same port. */
  restart(): Promise<void>;
  stop(): Promise<void>;
}>;

const startAttempts = 5;

export const startPostgres = async ({
  directory: folder,
  port = 0,
  addresses = [],
  password,
  fsync = true,
  takeover = false,
  log = () => {},
}: Options): Promise<Postgres> => {
  const directory = resolve(folder);
  const account = chooseAccount();
  const programs = await prepare(account, directory);
  const control = createControl({account, programs, directory});
  if (!existsSync(join(directory, 'PG_VERSION'))) {
    log(`creating the database in ${directory}`);
    await initialise({account, programs, directory, password, fsync});
  }
  await refuseOrStop({directory, takeover, control, log});
  const taken = await startOnPort({directory, port, addresses, fsync, control});
  let stopping: Promise<void> | undefined;
  return {
    port: taken,
    superuserUrl: `postgres://postgres:${encodeURIComponent(password)}@127.0.0.1:${taken}/postgres`,
    isRunning: () => runningPid(directory) !== undefined,
    restart: async () => {
      await startOnPort({directory, port: taken, addresses, fsync, control});
    },
    stop: () => {
      stopping ??= control.stop();
      return stopping;
    },
  };
};

const prepare = async (account: Account | undefined, directory: string): Promise<Programs> => {
  const programs = await findPrograms();
  try {
    mkdirSync(dirname(directory), {recursive: true});
    requireReachable(account, directory);
    return reachablePrograms(account, programs, directory);
  } catch (error) {
    throw error instanceof EmbeddedPostgresError
      ? error
      : explain('the data folder', directory, String(error));
  }
};

const refuseOrStop = async ({
  directory,
  takeover,
  control,
  log,
}: {
  directory: string;
  takeover: boolean;
  control: Control;
  log: (line: string) => void;
}) => {
  const pid = runningPid(directory);
  if (pid === undefined) {
    return;
  }
  if (!takeover) {
    throw new DataFolderInUse(directory, pid);
  }
  log(`stopping the PostgreSQL (process ${pid}) that an earlier run left behind`);
  await control.stop();
};

const startOnPort = async ({
  directory,
  port,
  addresses,
  fsync,
  control,
}: {
  directory: string;
  port: number;
  addresses: readonly string[];
  fsync: boolean;
  control: Control;
}): Promise<number> => {
  for (let attempt = 1; ; attempt++) {
    const taken = await claimPort(port);
    removeDeadMark(directory);
    const {code, output} = await control.start({
      port: taken,
      listen_addresses: ['127.0.0.1', ...addresses].join(','),
      // No socket file: its path may be too long, and nothing of ours uses it.
      unix_socket_directories: "''",
      max_connections: 200,
      shared_buffers: '64MB',
      jit: 'off',
      timezone: 'UTC',
      log_timezone: 'UTC',
      // A killed server loses nothing by this, only a machine that loses power does.
      ...(fsync ? {} : {fsync: 'off', full_page_writes: 'off'}),
    });
    if (code === 0) {
      return taken;
    }
    const error = explain('PostgreSQL', directory, output);
    // Somebody took the free port in between, or the children of a killed server are about to notice.
    const passing =
      (error.code === 'port_in_use' && port === 0) || /shared memory block|lock file/.test(output);
    if (!passing || attempt === startAttempts) {
      throw error;
    }
    await new Promise(done => setTimeout(done, 500));
  }
};

const claimPort = (port: number): Promise<number> =>
  new Promise((resolvePort, reject) => {
    const probe = createServer();
    probe.once('error', (error: NodeJS.ErrnoException) => {
      reject(
        error.code === 'EADDRINUSE'
          ? new EmbeddedPostgresError(
              'port_in_use',
              `port ${port} is in use by another program; choose another for PostgreSQL`,
            )
          : error,
      );
    });
    probe.listen(port, '127.0.0.1', () => {
      const address = probe.address();
      probe.close(() => resolvePort(typeof address === 'object' && address ? address.port : port));
    });
  });
