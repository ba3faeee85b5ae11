/**
Draft: what `sluice events send` was told to send, as events.

In: options for one event, or the text of a file: one event, an array of them, or an event a line (NDJSON). Out: events, each with the
line it began in, or a failure that names the line. What is left out is filled in: `specversion`, `time`, and `id`. In a file of
several an id is made of the line and what is in it, so that the same file sent again is the same events.
*/
import {createHash, randomUUID} from 'node:crypto';
import {readObject} from '../../../../events/codec.ts';
import type {Event} from '../../../../events/event.ts';
import {Failure} from '../shell/failure.ts';

export type Draft = Readonly<{
  type?: string;
  source?: string;
  id?: string;
  subject?: string;
  data?: string;
  contentType?: string;
  attribute?: readonly string[];
}>;
/** `line` counts from 1. */
export type Lined = Readonly<{line: number; event: Event}>;
type Fields = Readonly<Record<string, unknown>>;

export const defaultSource = 'sluice-cli';

export const draftOne = (draft: Draft, now: Date): Lined[] => {
  const {type, source = defaultSource, id = randomUUID(), subject, data, contentType} = draft;
  if (type === undefined) {
    throw new Failure('usage', 'give --type and --data, or --file with events');
  }
  const event = {
    type,
    source,
    id,
    ...(subject === undefined ? {} : {subject}),
    ...attributesOf(draft.attribute ?? []),
    ...(data === undefined ? {} : dataOf(data, contentType)),
  };
  return [{line: 1, event: toEvent(event, now, undefined)}];
};

/** JSON where it is JSON or nothing else was said; as text with a content type of its own. */
const dataOf = (text: string, contentType = 'application/json') => {
  if (!/[/+]json(;|$)/.test(contentType)) {
    return {datacontenttype: contentType, data: text};
  }
  try {
    return {datacontenttype: contentType, data: JSON.parse(text) as unknown};
  } catch (error) {
    const hint = '--data: expected JSON, such as \'{"name":"Ada"}\'; --content-type says otherwise';
    throw new Failure('usage', hint, error);
  }
};

const attributesOf = (pairs: readonly string[]): Fields =>
  Object.fromEntries(
    pairs.map(pair => {
      const at = pair.indexOf('=');
      if (!/^[a-z0-9]{1,20}$/.test(pair.slice(0, Math.max(at, 0)))) {
        const expected = 'NAME=VALUE with a name of lower-case letters and digits';
        throw new Failure('usage', `--attribute: expected ${expected}, got "${pair}"`);
      }
      return [pair.slice(0, at), pair.slice(at + 1)];
    }),
  );

export const draftFile = (text: string, draft: Draft, now: Date): Lined[] => {
  const whole = parse(text);
  if (Array.isArray(whole)) {
    return whole.map((value, index) => lined(value, index + 1, draft, now));
  }
  if (whole !== undefined) {
    return [lined(whole, 1, draft, now)];
  }
  return text
    .split('\n')
    .map((content, index) => ({content: content.trim(), line: index + 1}))
    .filter(({content}) => content !== '')
    .map(({content, line}) => {
      const value = parse(content);
      if (value === undefined) {
        throw new Failure('usage', `line ${line}: expected an event as JSON`);
      }
      return lined(value, line, draft, now);
    });
};

const lined = (value: unknown, line: number, {type, source}: Draft, now: Date): Lined => {
  const given = (
    typeof value === 'object' && value !== null && !Array.isArray(value) ? value : {}
  ) as Fields;
  const id = createHash('sha256')
    .update(`${line} ${JSON.stringify(value)}`)
    .digest('hex');
  const defaults = {source: source ?? defaultSource, id: id.slice(0, 32), ...(type && {type})};
  return {line, event: toEvent({...defaults, ...given}, now, line)};
};

const toEvent = (fields: Fields, now: Date, line: number | undefined): Event => {
  try {
    return readObject({specversion: '1.0', time: now.toISOString(), ...fields});
  } catch (error) {
    const where = line === undefined ? '' : `line ${line}: `;
    throw new Failure('usage', `${where}${(error as Error).message}`, error);
  }
};

const parse = (text: string): unknown => {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
};
