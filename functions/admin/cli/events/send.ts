/**
Send: `sluice events send`, which posts CloudEvents to `/events` as a producer does: with an API key, not with the admin key.

One event comes from options, many from a file or standard input. Nothing is sent before all of it was read and found to be events.
*/
import {readFileSync} from 'node:fs';
import type {Command} from 'commander';
import {toJson} from '../../../../events/codec.ts';
import {type Context, type Format, formatOf, showItem, withFormat} from '../shell/context.ts';
import {Failure} from '../shell/failure.ts';
import {wholeNumber} from '../shell/numbers.ts';
import type {Column} from '../shell/table.ts';
import {type Draft, draftFile, draftOne, type Lined} from './draft.ts';
import {type Mode, post} from './post.ts';
import {type Sending, targetOf} from './target.ts';

type Options = Format &
  Draft &
  Readonly<{
    file?: string;
    mode: Mode;
    after?: string;
    dryRun?: boolean;
    keyFile?: string;
  }>;

const oneColumns: readonly Column[] = ['id', 'type', 'source', 'subject', 'time'].map(name => ({
  name,
}));
const manyColumns: readonly Column[] = ['sent', 'requests', 'lastLine'].map(name => ({name}));

export const sendCommand = (events: Command, context: Context, surroundings: Sending) => {
  withFormat(events.command('send'))
    .description('sends CloudEvents as a producer does, with the API key in SLUICE_API_KEY')
    .option('--type <type>', 'such as com.example.order.placed')
    .option('--data <json>', 'what it says')
    .option('--source <source>', 'who says it; its organisation is put before it', 'sluice-cli')
    .option('--id <id>', 'the same id and source is the same event; a new one where absent')
    .option('--subject <text>', 'what it is about')
    .option('--content-type <type>', 'of the data, where it is not JSON')
    .option('--attribute <name=value...>', 'extensions, such as partitionkey=order-7')
    .option(
      '--file <path>',
      'events from a file: one, an array, or one a line; - is standard input',
    )
    .option('--after <line>', 'leaves out what was sent before: goes on where a file broke off')
    .option('--mode <mode>', 'structured, or binary: one request an event', 'structured')
    .option('--key-file <path>', 'has the API key, where SLUICE_API_KEY is not set')
    .option('--dry-run', 'prints what would be sent, one event a line')
    .action(async (options: Options) => {
      const all = await draftsOf(options, surroundings);
      const after = options.after === undefined ? 0 : wholeNumber('--after', options.after);
      const drafts = all.filter(({line}) => line > after);
      if (options.dryRun) {
        context.out(drafts.map(({event}) => `${toJson(event)}\n`).join(''));
        context.err(`would send ${countOf(drafts.length)}\n`);
        return;
      }
      const target = targetOf(context, surroundings, options.keyFile);
      const {requests} = await post(target, drafts, {
        mode: options.mode,
        onSent: createProgress(context, drafts.length),
      });
      tell(context, options, {drafts, requests});
    });
};

const draftsOf = async (options: Options, {read}: Sending): Promise<Lined[]> => {
  if (options.mode !== 'structured' && options.mode !== 'binary') {
    throw new Failure('usage', `--mode: expected structured or binary, got "${options.mode}"`);
  }
  if (options.file === undefined) {
    return draftOne(options, new Date());
  }
  if (options.data !== undefined || options.id !== undefined) {
    throw new Failure('usage', 'give --data and --id for one event, or --file for those in a file');
  }
  const text = options.file === '-' ? ((await read?.()) ?? '') : readText(options.file);
  return draftFile(text, options, new Date());
};

const readText = (path: string): string => {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    throw new Failure('usage', `${path} cannot be read: ${(error as Error).message}`, error);
  }
};

const countOf = (count: number) => `${count} ${count === 1 ? 'event' : 'events'}`;

/** A line for every tenth of a long file: standard error may be a file too. */
const createProgress = ({err}: Context, of: number) => {
  let told = 0;
  return (sent: number) => {
    const tenth = Math.floor((sent * 10) / of);
    if (of > 1_000 && tenth > told) {
      told = tenth;
      err(`sent ${sent} of ${of}\n`);
    }
  };
};

const tell = (
  context: Context,
  {json, csv, file}: Options,
  {drafts, requests}: {drafts: readonly Lined[]; requests: number},
) => {
  if (context.globals().quiet && formatOf(context, {json, csv}) === 'table') {
    context.out(drafts.map(({event}) => `${event.id}\n`).join(''));
    return;
  }
  const [first] = drafts;
  if (file === undefined && first) {
    showItem(context, {json, csv}, {columns: oneColumns, item: first.event});
    return;
  }
  const item = {sent: drafts.length, requests, lastLine: drafts.at(-1)?.line ?? null};
  showItem(context, {json, csv}, {columns: manyColumns, item});
};
