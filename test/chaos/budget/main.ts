/**
Main: `npm run chaos`: a thousand clients on a small budget while everything that keeps it is killed, frozen and restarted; or, with
`--target`, a thousand clients on the budget of somebody's gateway.

In: options. Out: a table, or one line of JSON with --json. Exit code 0: every promise held, and the run met what proves it; 1: a
promise is broken; 2: a wrong option; 3: nothing is broken, but the run proved nothing; 4: the storm itself failed. Progress goes
to stderr.
*/
import {readOptions, usage} from './options.ts';
import {exitCodeOf, jsonOf, type Run, tableOf} from './report.ts';
import {runStorm} from './run.ts';
import {runTarget, targetExitCode, targetTable} from './target.ts';

const began = performance.now();
const seconds = () => ((performance.now() - began) / 1_000).toFixed(1).padStart(6);
const say = (line: string) => void process.stderr.write(`${seconds()}  ${line}\n`);

const textMax = 3_000;

const showOutput = (run: Run) => {
  for (const [name, output] of Object.entries(run.output)) {
    process.stderr.write(`--- ${name}\n${output.slice(-textMax)}\n`);
  }
};

const asked = (() => {
  try {
    return readOptions(process.argv.slice(2));
  } catch (error) {
    process.stderr.write(`${(error as Error).message}\n${usage}\n`);
    return process.exit(2);
  }
})();

const runTargetStorm = async (options: Parameters<typeof runTarget>[0]) => {
  const figures = await runTarget(options);
  const plain = {...figures, limit: String(figures.limit), worth: String(figures.worth)};
  console.log(asked.json ? JSON.stringify(plain) : targetTable(figures));
  return targetExitCode(figures);
};

const runOwnStorm = async (options: Parameters<typeof runStorm>[0]) => {
  const run = await runStorm(options);
  const code = exitCodeOf(run);
  if (code === 1 && run.fault === undefined) {
    showOutput(run);
  }
  console.log(asked.json ? jsonOf(run) : tableOf(run));
  return code;
};

await ('target' in asked
  ? runTargetStorm({...asked.target, say})
  : runOwnStorm({...asked.storm, say})
).then(
  code => process.exit(code),
  error => {
    process.stderr.write(`${error.stack ?? error}\n`);
    process.exit(4);
  },
);
