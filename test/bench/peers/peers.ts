/**
Peers: those that the rows ask for, installed and started.

In: the rows, their model servers. Out: targets by name. One that cannot be installed is said and left out: the comparisons with it
are then not made, and whoever asked for its row by name is told that it was not measured.
*/
import {join} from 'node:path';
import {NotInstalled} from '../../runner/install.ts';
import {familyCpuMsOf} from '../cpu.ts';
import type {ModelName, Served} from '../models.ts';
import type {Row} from '../rows.ts';
import type {Stack} from '../stack.ts';
import type {PeerName, Target} from '../world.ts';
import {startLitellm} from './litellm.ts';
import {startNginx} from './nginx.ts';
import type {Peer} from './peer.ts';
import {startPortkey} from './portkey.ts';

type Started = Peer & Readonly<{headers?: Readonly<Record<string, string>>}>;
type Asked = Readonly<{folder: string; model: ModelName; modelUrl: string}>;
type Say = (line: string) => void;

const starts: Readonly<Record<PeerName, (asked: Asked, log: Say) => Promise<Started>>> = {
  nginx: ({folder, modelUrl}, log) => startNginx({folder, upstreamUrl: modelUrl}, {log}),
  portkey: (asked, log) => startPortkey(asked, {log}),
  litellm: (asked, log) => startLitellm(asked, {log}),
};

export const startPeers = async (
  stack: Stack,
  {
    folder,
    rows,
    served,
    say,
  }: {
    folder: string;
    rows: readonly Pick<Row, 'model' | 'targets'>[];
    served: ReadonlyMap<ModelName, Served>;
    say: Say;
  },
): Promise<ReadonlyMap<PeerName, Target>> => {
  const peers = new Map<PeerName, Target>();
  for (const name of Object.keys(starts) as PeerName[]) {
    const row = rows.find(({targets}) => targets.includes(name));
    const server = row && served.get(row.model);
    if (!row || !server) {
      continue;
    }
    try {
      const {
        url,
        pid,
        headers = {},
      } = await stack.add(
        starts[name](
          {folder: join(folder, name), model: row.model, modelUrl: server.model.url},
          say,
        ),
      );
      peers.set(name, {url, headers, cpuMs: () => familyCpuMsOf(pid)});
    } catch (error) {
      if (!(error instanceof NotInstalled)) {
        throw error;
      }
      say(error.message);
    }
  }
  return peers;
};
