/**
Exchange: one request that has been understood and is now to be answered. A type, no code: what the server knows and
every answer needs.
*/
import type {ServerResponse} from 'node:http';
import type {Faults} from './faults.ts';
import type {Body} from './fields.ts';
import type {Life} from './metrics.ts';
import type {Model} from './plan.ts';
import type {Settings} from './settings.ts';
import type {UsageCounter, UsageWriter} from './usage.ts';

/** `json` is the name as a JSON string, escaped once at start. */
export type ServedModel = Model & Readonly<{json: string}>;

export type Exchange = Readonly<{
  id: string;
  /** Seconds since 1970. */
  created: number;
  model: ServedModel;
  settings: () => Settings;
  faults: Faults;
  usage: UsageWriter;
  counts: UsageCounter;
  life: Life;
  response: ServerResponse;
}>;

/** Starts the answer and returns what stops it. */
export type Answer = (exchange: Exchange) => () => void;

/** Reads a body: what to answer, or a RequestError. */
export type Prepare = (body: Body, model: ServedModel, settings: Settings) => Answer;
