/** World: the second function of the first chain. Wiring only; the rule is in greeting.ts. */
import {port, readConfig, string} from '../../events/config.ts';
import {runMain} from '../../events/listen.ts';
import {serve} from '../../events/serve.ts';
import {createLogger} from '../../events/telemetry.ts';
import {greetAfterHello, routes} from './handle.ts';

await runMain(async () => {
  const settings = readConfig(process.env, {PORT: port, LOG_LEVEL: string('info')});
  await serve({
    name: 'world',
    port: settings.PORT,
    logger: createLogger({name: 'world', level: settings.LOG_LEVEL}),
    onEvent: greetAfterHello(),
    routes,
  });
});
