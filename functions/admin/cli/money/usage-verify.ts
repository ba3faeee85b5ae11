/**
Usage verify: `sluice usage verify`, which holds ledger, usage records, windows and model servers against each other.

Exit code 1 when a promise is broken, 0 otherwise, whatever notes there are. With --strict a note is as bad as a broken promise.
*/
import {type Command, InvalidArgumentError} from 'commander';
import type {Item} from '../shell/client.ts';
import {type Context, type Format, showList, withFormat} from '../shell/context.ts';
import {Failure} from '../shell/failure.ts';
import {type Column, toFields, toTable} from '../shell/table.ts';

type Options = Format &
  Readonly<{
    from?: string;
    to?: string;
    grace?: number;
    first?: number;
    checks?: string;
    strict?: boolean;
  }>;
type Report = Readonly<{
  broken: boolean;
  at: string;
  from: string;
  to: string;
  compared: Item;
  kinds: readonly Item[];
  differences: readonly Item[];
  findings: readonly Item[];
}>;

const kindColumns: readonly Column[] = [
  {name: 'promise', value: ({broken}) => (broken ? 'BROKEN' : 'note')},
  {name: 'check'},
  {name: 'kind'},
  {name: 'count', right: true},
];
const valuesOf = ({values}: Item) =>
  Object.entries((values ?? {}) as Record<string, string>)
    .map(([name, value]) => `${name}: ${value}`)
    .join('; ');
const findingColumns: readonly Column[] = [
  {name: 'kind'},
  {name: 'subject'},
  {name: 'model'},
  {name: 'from'},
  {name: 'found', value: valuesOf},
];
const differenceColumns: readonly Column[] = [
  {name: 'org'},
  {name: 'model'},
  {name: 'hour', value: item => item.from},
  ...['requests', 'inputTokens', 'cachedInputTokens', 'outputTokens', 'cost'].map(name => ({
    name,
    right: true,
  })),
];

const wholeNumber = (text: string): number => {
  if (!/^\d{1,6}$/.test(text)) {
    throw new InvalidArgumentError('expected a whole number');
  }
  return Number(text);
};

/** `usage` is the command that it stands under. */
export const usageVerifyCommand = (usage: Command, context: Context) => {
  withFormat(usage.command('verify'))
    .description('compares ledger, usage records, windows and model servers; exit code 1 says no')
    .option('--from <instant>', 'a date or an RFC 3339 instant; a day before --to where absent')
    .option('--to <instant>', 'now where absent')
    .option('--grace <seconds>', 'what is younger is only late (60)', wholeNumber)
    .option('--first <number>', 'of each kind, shown in full (20)', wholeNumber)
    .option('--checks <list>', 'some of requests,sums,windows,engines')
    .option('--strict', 'notes count as broken promises')
    .action(async (_own: Options, command: Command) => {
      // The command above has options of the same names and takes them first.
      const {json, csv, ...options} = command.optsWithGlobals<Options>();
      const report = (await context
        .client()
        .send('POST', '/usage/verify', bodyOf(options))) as unknown as Report;
      if (json || csv) {
        showList(
          context,
          {json, csv},
          {
            columns: [...kindColumns.slice(1, 2), ...findingColumns],
            items: report.findings,
            answer: report,
          },
        );
      } else {
        context.out(textOf(report, context.colour));
      }
      const bad = report.kinds.filter(({broken}) => broken || options.strict);
      if (bad.length > 0) {
        const names = bad.map(({kind, count}) => `${kind} (${count})`).join(', ');
        throw new Failure('failed', `the books do not agree: ${names}`);
      }
    });
};

const bodyOf = ({from, to, grace, first, checks}: Options) => ({
  ...(from === undefined ? {} : {from}),
  ...(to === undefined ? {} : {to}),
  ...(grace === undefined ? {} : {graceSeconds: grace}),
  ...(first === undefined ? {} : {first}),
  ...(checks === undefined ? {} : {checks: checks.split(',').map(name => name.trim())}),
});

const textOf = ({from, to, compared, kinds, differences, findings}: Report, colour: boolean) => {
  const about = {from, to, ...compared};
  const parts = [
    toFields(
      Object.keys(about).map(name => ({name})),
      about,
      {colour},
    ),
    kinds.length === 0 ? 'all agrees\n' : toTable(kindColumns, kinds, {colour}),
  ];
  if (differences.length > 0) {
    parts.push(`ledger less usage records:\n${toTable(differenceColumns, differences, {colour})}`);
  }
  if (findings.length > 0) {
    parts.push(toTable(findingColumns, findings, {colour}));
  }
  return parts.join('\n');
};
