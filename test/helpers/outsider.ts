/**
Outsider: somebody in the cluster who finds every port that something listens on, and posts to it.

In: a running Sluice. Out: the addresses of its functions and of its internal port, which is told to nobody and therefore read
from the kernel; and the answers to every event in every mode with every credential, a few at a time.
*/
import {readdirSync, readFileSync, readlinkSync} from 'node:fs';
import {Agent, request} from 'undici';
import {type Message, toBatch, toBinary, toStructured} from '../../events/codec.ts';
import {eventually} from './eventually.ts';
import {environmentOf} from './function-processes.ts';
import type {Forged} from './outsider-events.ts';
import type {Sluice} from './sluice.ts';

const listening = '0A';

const socketsOf = (pid: number): string[] =>
  readdirSync(`/proc/${pid}/fd`).flatMap(descriptor => {
    try {
      const inode = /^socket:\[(\d+)\]$/.exec(readlinkSync(`/proc/${pid}/fd/${descriptor}`))?.[1];
      return inode === undefined ? [] : [inode];
    } catch {
      return [];
    }
  });

/** The TCP ports that a process listens on. */
export const portsOf = (pid: number): number[] => {
  const sockets = new Set(socketsOf(pid));
  return ['tcp', 'tcp6'].flatMap(table =>
    readFileSync(`/proc/${pid}/net/${table}`, 'utf8')
      .split('\n')
      .slice(1)
      .flatMap(line => {
        const [, local = '', , state, , , , , , inode = ''] = line.trim().split(/\s+/);
        return state === listening && sockets.has(inode)
          ? [Number.parseInt(local.slice(local.lastIndexOf(':') + 1), 16)]
          : [];
      }),
  );
};

/** Of each function, by the name that the runner gave it. Other children have none. */
export const functionsOf = (sluice: Sluice): Promise<Record<string, string>> =>
  eventually(() => {
    const found: Record<string, string> = {};
    for (const pid of sluice.children()) {
      const {K_SERVICE: name} = environmentOf(pid);
      if (name === undefined) {
        continue;
      }
      const ports = portsOf(pid);
      if (ports.length !== 1) {
        throw new Error(`${name} listens on ${ports.length} ports, expected one`);
      }
      found[name] = `http://127.0.0.1:${ports[0]}`;
    }
    return found;
  });

/** What the runner itself listens on and is not the front door. */
export const internalPortOf = ({process, url}: Sluice): string => {
  const others = portsOf(process.pid as number).filter(port => port !== Number(new URL(url).port));
  if (others.length !== 1) {
    throw new Error(`the runner listens on ${others.length} ports beside its front door`);
  }
  return `http://127.0.0.1:${others[0]}`;
};

export type Carrier = 'binary' | 'structured' | 'batch';
export const carriers: readonly Carrier[] = ['binary', 'structured', 'batch'];

const carry: Record<Carrier, (forged: Forged) => Message> = {
  binary: ({event}) => toBinary(event),
  structured: ({event}) => toStructured(event),
  batch: ({event}) => toBatch([event]),
};

/** By its name; the value of the header, or none. */
export type Credentials<Name extends string> = Readonly<Record<Name, string | undefined>>;
export type Asked<Name extends string> = Readonly<{
  forged: Forged;
  carrier: Carrier;
  credential: Name;
}>;
/** Where to post, and what is documented to be answered there. */
export type Place<Name extends string> = Readonly<{
  name: string;
  url: string;
  method?: string;
  answers(asked: Asked<Name>): readonly number[];
}>;
export type Campaign<Name extends string> = Readonly<{
  events: readonly Forged[];
  places: readonly Place<Name>[];
  credentials: Partial<Credentials<Name>>;
}>;
export type Tally = {
  tried: number;
  byStatus: Record<string, number>;
  /** Answers that nothing documents, at most twenty. */
  wrong: string[];
};

const answerMs = 30_000;
const atOnce = 16;

/** Resolves when every combination was answered; one that was not within 30 s counts as no answer. */
export const postAll = async <Name extends string>(campaign: Campaign<Name>): Promise<Tally> => {
  const tally: Tally = {tried: 0, byStatus: {}, wrong: []};
  const dispatcher = new Agent({
    connections: atOnce,
    headersTimeout: answerMs,
    bodyTimeout: answerMs,
  });
  const combinations = combine(campaign);
  const work = async () => {
    for (const {place, asked, message, authorization} of combinations) {
      const status = await post({dispatcher, place, message, authorization});
      tally.tried += 1;
      tally.byStatus[status] = (tally.byStatus[status] ?? 0) + 1;
      if (!place.answers(asked).includes(Number(status)) && tally.wrong.length < 20) {
        const {forged, carrier, credential} = asked;
        tally.wrong.push(
          `${place.name}: ${forged.type} ${forged.variant}, ${carrier}, ${credential}: ${status}`,
        );
      }
    }
  };
  await Promise.all(Array.from({length: atOnce}, work));
  await dispatcher.close();
  return tally;
};

/** Every event in every mode to every place with every credential. */
export function* combine<Name extends string>({events, places, credentials}: Campaign<Name>) {
  for (const forged of events) {
    for (const carrier of carriers) {
      const message = carry[carrier](forged);
      for (const place of places) {
        for (const credential of Object.keys(credentials) as Name[]) {
          const asked = {forged, carrier, credential};
          yield {place, asked, message, authorization: credentials[credential]};
        }
      }
    }
  }
}

/** The status, or why there is none. */
export const post = async ({
  dispatcher,
  place: {url, method = 'POST'},
  message: {headers, body},
  authorization,
}: {
  dispatcher?: Agent;
  place: Readonly<{url: string; method?: string}>;
  message: Message;
  authorization: string | undefined;
}): Promise<string> => {
  try {
    const answer = await request(url, {
      ...(dispatcher ? {dispatcher} : {}),
      method: method as 'POST',
      headers: {...headers, ...(authorization === undefined ? {} : {authorization})},
      body,
    });
    await answer.body.dump();
    return String(answer.statusCode);
  } catch (error) {
    return `no answer (${(error as Error).message})`;
  }
};
