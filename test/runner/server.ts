/**
Server: a program of the tests that listens: started, waited for, stopped or killed, started again on the same data.

In: a program, its folder, how to ask whether it is ready. Out: `start`, `stop`, `kill`. When whoever started it is gone,
killed with SIGKILL or as an ended test thread, it ends too and its folder goes with it.
*/
import {type ChildProcess, spawn} from 'node:child_process';
import {once} from 'node:events';
import {mkdtemp, rm} from 'node:fs/promises';
import {createServer} from 'node:net';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {setTimeout as wait} from 'node:timers/promises';
import {tailOf} from './install.ts';

export type Server = Readonly<{
  /** On the same port, with the data that it had. */
  start(): Promise<void>;
  /** SIGTERM: it ends in its own way. */
  stop(): Promise<void>;
  /** SIGKILL: whatever it had not handed to the system is gone. */
  kill(): Promise<void>;
  /** Throws while it does not run. */
  pid(): number;
}>;

export type Program = Readonly<{
  name: string;
  command: string;
  args: readonly string[];
  /** All that it is told; absent: what this process knows. */
  environment?: Readonly<Record<string, string | undefined>>;
  /** Written to its standard input: what nobody should read in the list of processes. */
  input?: string;
  folder: string;
  /** Throws until it serves; is given what it has written since it was started. */
  check: (output: string) => Promise<void>;
}>;

/** A busy machine is slow; whoever hangs is told apart by far. */
const startMaxMs = 120_000;
const stopMaxMs = 30_000;
const outputMax = 50_000;
const startAttempts = 5;

export const createServerProcess = ({
  name,
  command,
  args,
  environment,
  input = '',
  folder,
  check,
}: Program): Server => {
  let running: {child: ChildProcess; ended: Promise<unknown>; output: () => string} | undefined;

  const launch = async () => {
    // A session of its own: Ctrl-C reaches it through us, after the tests that use it.
    const child = spawn(command, args, {
      cwd: folder,
      env: environment,
      detached: true,
      stdio: 'pipe',
    });
    let output = '';
    for (const stream of [child.stdout, child.stderr]) {
      stream.on('data', chunk => {
        output = (output + chunk).slice(-outputMax);
      });
    }
    child.stdin.on('error', () => {});
    child.stdin.end(input);
    const ended = once(child, 'close').catch(() => {});
    await once(child, 'spawn');
    const release = leash(child.pid as number, folder);
    const launched = {child, ended, output: () => output};
    running = launched;
    child.once('exit', () => {
      release();
      running = undefined;
    });
    return launched;
  };

  const end = async (signal: NodeJS.Signals) => {
    if (running) {
      const {child, ended} = running;
      child.kill(signal);
      const timer = setTimeout(() => child.kill('SIGKILL'), stopMaxMs);
      await ended;
      clearTimeout(timer);
    }
  };

  const start = async () => {
    if (running) {
      throw new Error(`${name} is running already`);
    }
    const launched = await launch();
    const giveUpAt = performance.now() + startMaxMs;
    for (;;) {
      try {
        await check(launched.output());
        return;
      } catch (error) {
        const {exitCode, signalCode} = launched.child;
        const gone = exitCode !== null || signalCode !== null;
        if (gone || performance.now() > giveUpAt) {
          await end('SIGKILL');
          const how = gone ? `ended with ${signalCode ?? exitCode}` : `is not ready: ${error}`;
          throw new Error(`${name} ${how}\n${tailOf(launched.output())}`, {cause: error});
        }
      }
      await wait(50);
    }
  };

  return {
    start,
    stop: () => end('SIGTERM'),
    kill: () => end('SIGKILL'),
    pid: () => {
      if (running?.child.pid === undefined) {
        throw new Error(`${name} does not run`);
      }
      return running.child.pid;
    },
  };
};

/**
A shell that reads from us: a line says that the server has ended, an end without one that we have, however that came
about. (What the kernel offers, PR_SET_PDEATHSIG, is Linux's alone.)
*/
const leash = (pid: number, folder: string) => {
  const shell = spawn(
    '/bin/sh',
    ['-c', 'read -r line || { kill -9 "$1"; rm -rf "$2"; }', 'leash', String(pid), folder],
    {detached: true, stdio: ['pipe', 'ignore', 'ignore']},
  );
  shell.stdin.on('error', () => {});
  return () => shell.stdin.end('ended\n');
};

/** The one that `create` makes, started; another port when somebody took this one in between. */
export const startOnFreePort = async <Created extends {server: Server}>(
  create: () => Promise<Created>,
): Promise<Created> => {
  for (let attempt = 1; ; attempt++) {
    const created = await create();
    try {
      await created.server.start();
      return created;
    } catch (error) {
      if (attempt === startAttempts || !/already in use/i.test(String(error))) {
        throw error;
      }
    }
  }
};

/**
Below the ports that the system gives to clients (from 32768 on, Linux): a port that stays free while its server is down,
and to which a client that tries again cannot connect itself.
*/
export const freePort = async (): Promise<number> => {
  for (;;) {
    const port = 15_000 + Math.floor(Math.random() * 17_000);
    if (await isFree(port)) {
      return port;
    }
  }
};

const isFree = (port: number): Promise<boolean> =>
  new Promise((resolve, reject) => {
    const probe = createServer();
    probe.once('error', (error: NodeJS.ErrnoException) =>
      error.code === 'EADDRINUSE' || error.code === 'EACCES' ? resolve(false) : reject(error),
    );
    probe.listen(port, '127.0.0.1', () => probe.close(() => resolve(true)));
  });

/** A folder for a server's data; what `use` makes of it, or nothing left of it. */
export const inTemporaryFolder = async <Result>(
  name: string,
  use: (folder: string, remove: () => Promise<void>) => Promise<Result>,
): Promise<Result> => {
  const folder = await mkdtemp(join(tmpdir(), `sluice-${name}-`));
  const remove = () => rm(folder, {recursive: true, force: true, maxRetries: 5});
  try {
    return await use(folder, remove);
  } catch (error) {
    await remove();
    throw error;
  }
};
