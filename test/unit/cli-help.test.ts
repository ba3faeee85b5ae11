import test from 'ava';
import type {Command} from 'commander';
import {helpTexts} from '../../functions/admin/cli/help/texts.ts';
import type {Surroundings} from '../../functions/admin/cli/program.ts';
import type {Context} from '../../functions/admin/cli/shell/context.ts';
import {everyCommand, noGlobals, pathOf} from '../../functions/admin/cli/shell/globals.ts';
import {createProgram} from '../../functions/admin/cli/tree.ts';

const surroundings: Surroundings = {
  environment: {},
  folder: '/',
  out: () => {},
  err: () => {},
  terminal: false,
};
const never = () => {
  throw new Error('no command is run here');
};
const context = {
  client: never,
  clientAt: never,
  settings: never,
  out: () => {},
  err: () => {},
  colour: false,
  globals: () => noGlobals,
  progress: never,
  confirm: never,
  atEnd: () => {},
} as unknown as Context;
const build = () => createProgram(context, {surroundings, onRun: () => {}});

const helpOf = (command: Command): string => {
  let text = '';
  command.configureOutput({
    writeOut: written => {
      text += written;
    },
  });
  command.outputHelp();
  return text;
};
const examplesOf = (help: string): string[] =>
  [...help.matchAll(/^ +(?:\$ )?sluice (.+)$/gm)].map(([, example]) => example as string);

/** As a shell would, as far as our examples go. */
const words = (line: string): string[] =>
  [...(line.split(/ [|>]/)[0] as string).matchAll(/(?:[^\s"']|"[^"]*"|'[^']*')+/g)].map(([word]) =>
    word.replaceAll(/"([^"]*)"|'([^']*)'/g, '$1$2'),
  );

/** Thrown before a command acts. */
class Parsed extends Error {}

const commands = everyCommand(build()).filter(({parent}) => parent !== null);

test('there are commands to walk', t => {
  t.true(commands.length > 60, String(commands.length));
});

test('every command has a summary on one line, and its list says nothing else', t => {
  for (const command of commands) {
    t.regex(command.summary(), /^[^\n]{8,160}$/, pathOf(command));
  }
});

test('the help of every command has a sentence, a paragraph and an example', t => {
  const lacking = commands.flatMap(command => {
    const help = helpOf(command);
    const [first, paragraph] = command.description().split('\n\n');
    return [
      ...(/^[^a-z].*[.!?]$/.test(first ?? '') ? [] : [`${pathOf(command)}: a sentence`]),
      ...(paragraph ? [] : [`${pathOf(command)}: a paragraph`]),
      ...(examplesOf(help).length > 0 ? [] : [`${pathOf(command)}: an example`]),
    ];
  });
  t.deepEqual(lacking, []);
});

test('every option of every command is explained', t => {
  const silent = commands.flatMap(command =>
    command.options
      .filter(({description}) => description === '')
      .map(({flags}) => `${pathOf(command)} ${flags}`),
  );
  t.deepEqual(silent, []);
});

test('every example of every help parses, and is of the command that shows it', async t => {
  const wrong: string[] = [];
  let count = 0;
  for (const command of commands) {
    for (const example of examplesOf(helpOf(command))) {
      count += 1;
      const program = build();
      let ran = '';
      for (const one of everyCommand(program)) {
        one.exitOverride().configureOutput({writeErr: () => {}, writeOut: () => {}});
      }
      program.hook('preAction', (_, one) => {
        ran = pathOf(one);
        throw new Parsed();
      });
      try {
        await program.parseAsync(words(example), {from: 'user'});
      } catch (error) {
        if (!(error instanceof Parsed)) {
          wrong.push(`${example}: ${(error as Error).message}`);
        }
      }
      if (!`${ran} `.startsWith(`${pathOf(command)} `)) {
        wrong.push(`${example} runs ${ran || 'nothing'}, shown by ${pathOf(command)}`);
      }
    }
  }
  t.deepEqual(wrong, []);
  t.log(`${commands.length} commands, ${count} examples`);
});

test('every text is of a command that there is', t => {
  const paths = commands.map(pathOf);
  t.deepEqual(
    Object.keys(helpTexts).filter(path => !paths.includes(path)),
    [],
  );
});

test('the root help lists every command, each in a group', t => {
  const help = helpOf(build());
  for (const command of commands.filter(({parent}) => parent?.parent === null)) {
    t.regex(help, new RegExp(`^ {2}${command.name()}\\b`, 'm'), command.name());
    t.not(command.helpGroup(), '');
  }
});
