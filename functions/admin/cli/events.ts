/** Events: `sluice events send|tail|replay`, the events that everything in Sluice travels in. */
import type {Command} from 'commander';
import type {Context} from './context.ts';
import {replayCommand} from './events/replay.ts';
import {sendCommand} from './events/send.ts';
import type {Environment} from './events/target.ts';

export const eventsCommand = (
  program: Command,
  context: Context,
  environment: Environment,
  folder = process.cwd(),
) => {
  const events = program.command('events').description('sends events, shows and replays them');
  sendCommand(events, context, environment, folder);
  replayCommand(events, context, environment);
};
