/** Hello: the function to begin with. Wiring only; the rule is in greeting.ts. */
import {port, readConfig, string} from '../../events/config.ts';
import {runMain} from '../../events/listen.ts';
import {serve} from '../../events/serve.ts';
import {createLogger} from '../../events/telemetry.ts';
import {greetRequested, routes} from './handle.ts';

await runMain(async () => {
  const settings = readConfig(process.env, {PORT: port, LOG_LEVEL: string('info')});
  await serve({
    name: 'hello',
    port: settings.PORT,
    logger: createLogger({name: 'hello', level: settings.LOG_LEVEL}),
    onEvent: greetRequested(),
    routes,
  });
});
