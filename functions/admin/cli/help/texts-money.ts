/** Help texts of budgets, limits, usage and the ledger. */
import type {HelpTexts} from './help.ts';

const id = '0192f0c1-7a00-7000-8000-00000000000a';

export const moneyTexts: HelpTexts = {
  budget: {
    about:
      'A budget limits what an organisation, a project or a key may spend in a day, a week, a month or for ever: dollars, tokens or milliseconds of a GPU. No request that it does not cover is let through.',
    examples: ['budget list --org acme', 'budget create --org acme --limit 500.00 --period month'],
  },
  'budget list': {
    about:
      'What is spent has what went over in it. `leased` is what gateways hold for requests to come, `available` what they can still lease.',
    examples: ['budget list', 'budget list --org acme --output json', 'budget list --watch'],
  },
  'budget show': {
    about:
      'With its window: when the current day, week or month began, when it ends, what was added to it.',
    examples: [`budget show ${id}`, `budget show ${id} --watch 5`],
  },
  'budget create': {
    about:
      'Counts at the gateways within a second. What was spent before counts too, where the budget’s window has begun already.',
    examples: [
      'budget create --org acme --limit 500.00 --period month --thresholds 50,80,100',
      `budget create --key ${id} --unit tokens --limit 1000000 --period day --time-zone Europe/Berlin`,
    ],
  },
  'budget set': {
    about:
      'Counts in the current window at once. A limit below what is spent refuses requests until the window ends. A paused budget grants nothing, requests that run go on.',
    examples: [
      `budget set ${id} --limit 750.00`,
      `budget set ${id} --limit 750.00 --dry-run`,
      `budget set ${id} --pause`,
    ],
  },
  'budget topup': {
    about:
      'The next window has the limit alone again. Give the id of the payment, and the command can be repeated: it adds once.',
    examples: [`budget topup ${id} --amount 100.00 --id invoice-4711 --by finance`],
  },
  'budget topups': {
    about: 'Of all its windows, oldest first.',
    examples: [`budget topups ${id}`, `budget topups ${id} --csv`],
  },
  limit: {
    about:
      'Limits say how fast, budgets how much. Of a request’s key, project, organisation and model each limit counts.',
    examples: ['limit show --org acme', `limit set --key ${id} --requests 60`],
  },
  'limit show': {
    about: 'Give one of --org, --project, --key and --model.',
    examples: ['limit show --org acme', 'limit show --model llama-3.1-8b --environment production'],
  },
  'limit set': {
    about: 'What is not said stays as it is; `none` takes a limit away.',
    examples: [
      `limit set --key ${id} --requests 60 --max-output-tokens 1024`,
      'limit set --org acme --tokens 200000 --parallel 32',
      'limit set --model llama-3.1-8b --requests none',
    ],
  },
  usage: {
    about:
      'Summed by model unless said; hours and days are of UTC. For figures that a finance department takes, see `usage export`.',
    examples: [
      'usage --org acme',
      'usage --org acme --group-by project,model --granularity day --csv',
      'usage --from 2026-11-01 --to 2026-12-01',
    ],
  },
  'usage export': {
    about:
      'Written as it comes, so a file may be larger than memory. With --file it is readable by its owner alone, and there only when it is whole.',
    examples: [
      'usage export --org acme --file usage.csv',
      'usage export --org acme --granularity day --format json --from 2026-11-01',
    ],
  },
  'usage verify': {
    about:
      'Reconciles what was charged with what was recorded and with the model servers’ own counters. Nothing is changed. A note is no broken promise, unless --strict says so.',
    examples: ['usage verify', 'usage verify --from 2026-11-20 --checks requests,sums --strict'],
  },
  ledger: {
    about: 'The ledger is never changed: a correction is an entry of its own.',
    examples: ['ledger --org acme --limit 20', `ledger --request ${id}`],
  },
  explain: {
    about:
      'Every answer of the gateway has an x-request-id, refusals too. This tells who asked for what, where it went, what it held, what it cost and how that is reckoned. Refusals are known for a day.',
    examples: [`explain ${id}`, `explain ${id} --org acme --json`],
  },
};
