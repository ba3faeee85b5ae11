/** Help texts of models, events, and of this command itself. */
import type {HelpTexts} from './help.ts';

const id = '0192f0c1-7a00-7000-8000-00000000000a';

export const operationTexts: HelpTexts = {
  model: {
    about:
      'A model is a name that clients ask for, in an environment, with the servers that answer and what a million tokens cost. `sluice registry` does the same, and with --database-url without the API.',
    examples: ['model list', 'model show llama-3.1-8b'],
  },
  'model list': {
    about: 'registered: no server has answered yet; ready: routed to; disabled: by the operator.',
    examples: [
      'model list',
      'model list --environment production --status ready',
      'model list --watch',
    ],
  },
  'model show': {
    about: 'With each of its servers and how it is.',
    examples: [
      'model show llama-3.1-8b',
      'model show llama-3.1-8b --environment production --json',
    ],
  },
  'model register': {
    about:
      'The servers are asked at once; with one that is healthy the model is routed to within a second. What is registered again is as said now, limits too. A price is in USD a million tokens.',
    examples: [
      'model register llama-3.1-8b --environment production --endpoint http://llama.models.svc.cluster.local --price 0.50,1.50',
      'model register tiny --environment dev --endpoint http://127.0.0.1:8000 --price free --start-seconds 300 --context-length 8192',
    ],
  },
  'model update': {
    about: 'What is not said stays as it is; `none` takes a number away.',
    examples: [
      'model update llama-3.1-8b --fallback tiny --max-concurrency 256',
      'model update llama-3.1-8b --no-fallback',
    ],
  },
  'model enable': {
    about: 'Its servers are asked first where none is known to be healthy.',
    examples: ['model enable llama-3.1-8b'],
  },
  'model disable': {
    about: 'Requests that run go on; new ones are refused within a second.',
    examples: ['model disable llama-3.1-8b', 'model disable llama-3.1-8b --dry-run'],
  },
  'model probe': {
    about: 'A look at each server: does it answer, does it stream, how does it report usage.',
    examples: ['model probe llama-3.1-8b'],
  },
  'model remove': {
    about: 'Asks whether it is meant. To take it away for a while, disable it.',
    examples: ['model remove llama-3.1-8b --yes'],
  },
  registry: {
    about:
      'The same as `sluice model`. With --database-url each command works straight on PostgreSQL with the same checks and probes, so that models can be changed while no function runs; the audit names the database’s role.',
    examples: ['registry list', 'registry list --database-url'],
  },
  'registry list': {
    about: 'registered: no server has answered yet; ready: routed to; disabled: by the operator.',
    examples: ['registry list --environment production', 'registry list --json --database-url'],
  },
  'registry show': {
    about: 'With each of its servers and how it is.',
    examples: ['registry show llama-3.1-8b'],
  },
  'registry register': {
    about: 'As `sluice model register`: what is registered again is as said now.',
    examples: [
      'registry register llama-3.1-8b --environment production --endpoint http://llama.models.svc.cluster.local --price 0.50,1.50',
      'registry register tiny --environment dev --endpoint http://127.0.0.1:8000 --price free --database-url postgres://sluice_system@127.0.0.1/sluice',
    ],
  },
  'registry update': {
    about: 'What is not said stays as it is; `none` takes a number away.',
    examples: ['registry update llama-3.1-8b --fallback tiny'],
  },
  'registry enable': {
    about: 'Its servers are asked first where none is known to be healthy.',
    examples: ['registry enable llama-3.1-8b', 'registry enable llama-3.1-8b --database-url'],
  },
  'registry disable': {
    about: 'Requests that run go on; new ones are refused within a second.',
    examples: ['registry disable llama-3.1-8b', 'registry disable llama-3.1-8b --database-url'],
  },
  'registry probe': {
    about: 'A look at each server: does it answer, does it stream, how does it report usage.',
    examples: ['registry probe llama-3.1-8b'],
  },
  'registry deregister': {
    about: 'Asks whether it is meant. To take it away for a while, disable it.',
    examples: ['registry deregister llama-3.1-8b --yes'],
  },
  deadletter: {
    about:
      'An event that nobody could handle waits here with the reason. Redriven, it goes where it came from; dropped, what was in it is gone.',
    examples: ['deadletter list', `deadletter show ${id}`],
  },
  'deadletter list': {
    about: 'Those that wait, unless --state says otherwise.',
    examples: [
      'deadletter list',
      'deadletter list --since 2026-11-20 --type dev.sluice.inference.finished.v1',
    ],
  },
  'deadletter show': {
    about: 'What the receiver said last is in `errorData`.',
    examples: [`deadletter show ${id}`],
  },
  'deadletter redrive': {
    about: 'One by its id, or all that filters fit. Redriving twice sends once.',
    examples: [
      `deadletter redrive ${id}`,
      'deadletter redrive --subscription trigger/sluice/registry-endpoint-suspected --dry-run',
      'deadletter redrive --all --yes',
    ],
  },
  'deadletter drop': {
    about: 'One by its id, or all that filters fit. It cannot be taken back.',
    examples: [`deadletter drop ${id}`, 'deadletter drop --since 2026-11-20 --yes'],
  },
  events: {
    about: 'What happens is told as CloudEvents; money and usage are made of them.',
    examples: ['events replay --from 2026-11-21T10:00:00Z --group budget --dry-run'],
  },
  'events replay': {
    about:
      'After a restore: stop the group’s source, replay, start it. Each event counts once, however often it is read. Speaks with Kafka by KAFKA_BROKERS, not with the API.',
    examples: [
      'events replay --from 2026-11-21T10:00:00Z --group budget --dry-run',
      'events replay --from 2026-11-21T10:00:00Z --group usage --yes',
    ],
  },
  apply: {
    about:
      'Documents have a kind (Organisation, Project, Key, Budget, Model) and the fields of the API; who owns what is said by names (org, project, key). What is so already is left alone, and so is what the file does not name: it can be applied again and again, and after a failure it goes on. Keys that are made are printed, once.',
    examples: [
      'apply --file tenants.yaml --dry-run',
      'apply -f tenants.yaml --json > made.json',
      'apply -f -',
    ],
  },
  doctor: {
    about:
      'Looks at the server and its functions, the key, the models, this machine; and at PostgreSQL, Redis, Kafka and the OpenID provider where DATABASE_URL, REDIS_URL, KAFKA_BROKERS and OIDC_ISSUER name them; and at the Brokers of a cluster where kubectl would find one. Nothing is changed. The exit code is 1 when a check failed.',
    examples: [
      'doctor',
      'doctor --json',
      'doctor --strict --function registry=http://registry.sluice.svc.cluster.local',
    ],
  },
  context: {
    about:
      'A context is a name for a server, with its key or a command that prints the key. They are kept in ~/.config/sluice/config.json, readable by you alone.',
    examples: ['context set prod --url https://sluice.example.com --key-stdin', 'context use prod'],
  },
  'context list': {
    about: 'The one with the asterisk is used where nothing else is said.',
    examples: ['context list', 'context list --output json'],
  },
  'context current': {examples: ['context current'], about: 'An error where none is chosen.'},
  'context set': {
    about:
      'The first context that is made is used. A key that a command prints is kept nowhere: the command is run when the key is needed.',
    examples: [
      'context set dev --url http://127.0.0.1:8080 --key-stdin',
      'context set prod --url https://sluice.example.com --key-command pass-sluice --use',
    ],
  },
  'context use': {
    about: 'For one command only: --context NAME, or SLUICE_CONTEXT.',
    examples: ['context use prod'],
  },
  'context delete': {
    about: 'The server is told nothing: revoke its key there.',
    examples: ['context delete prod --yes'],
  },
  completion: {
    about:
      'bash: source <(sluice completion bash). zsh: source <(sluice completion zsh). fish: sluice completion fish | source. Put the line in the file that your shell reads at its start.',
    examples: ['completion bash', 'completion fish'],
  },
  version: {
    about: 'The API’s version is that of the document that this command was made from.',
    examples: ['version', 'version --json'],
  },
};
