/** Help texts of organisations, projects and people. */
import type {HelpTexts} from './help.ts';

export const tenantTexts: HelpTexts = {
  org: {
    about:
      'An organisation is a tenant: nothing of it is seen by another. Its projects have keys, its budgets bound what they spend.',
    examples: [
      'org create acme',
      'org list',
      'org suspend acme --now --reason "invoice 7 is open"',
    ],
  },
  'org create': {
    about: 'Next: a project, a budget and a key. A limit that is not said is none.',
    examples: ['org create acme', 'org create acme --requests 6000 --parallel 100'],
  },
  'org list': {
    about: 'Whoever is no operator sees the organisations that they have a role in.',
    examples: ['org list', 'org list --json', 'org list --quiet'],
  },
  'org show': {
    about: 'With its limits, and why it is suspended.',
    examples: ['org show acme', 'org show acme --json'],
  },
  'org update': {
    about: 'What is not said stays as it is.',
    examples: [
      'org update acme --requests 12000',
      'org update acme --name acme-gmbh --tokens none',
    ],
  },
  'org suspend': {
    about:
      'No request of it starts a second later, on any gateway. Running ones end by themselves; with --now they are cut, and charged for what they used.',
    examples: ['org suspend acme --reason "invoice 7 is open"', 'org suspend acme --now'],
  },
  'org resume': {
    about: 'Its keys, members and budgets are as they were.',
    examples: ['org resume acme'],
  },
  'org delete': {
    about:
      'At once nobody of it can do anything. Its data is purged when the days are over; until then `restore` takes it back. Asks whether it is meant.',
    examples: ['org delete acme --yes', 'org delete acme --retention-days 0 --yes'],
  },
  'org restore': {
    about: 'Possible until it is purged. It stays suspended if it was.',
    examples: ['org restore acme'],
  },
  'org stamp': {
    about:
      'Events of it have this stamp in the Broker of tenants, and no other organisation may know it. STAMP_KEY is set to what events-ingress has: `stamp-key` of the Secret `sluice`. With an id no server is asked.',
    examples: ['org stamp acme', 'org stamp acme --quiet'],
  },
  project: {
    about:
      'A project is a team or an application of an organisation: keys, budgets and roles can be of one.',
    examples: ['project create web --org acme', 'project list --org acme'],
  },
  'project create': {
    about:
      'A request that nobody saw the end of is charged by --unsettled: prompt (its input), hold (the most it could cost) or waive (nothing).',
    examples: [
      'project create web --org acme',
      'project create batch --org acme --max-output-tokens 4096 --unsettled hold',
    ],
  },
  'project list': {about: 'Deleted ones are left out.', examples: ['project list --org acme']},
  'project show': {
    about: 'By its name where only one organisation has it, else with --org or by its id.',
    examples: ['project show web', 'project show web --org acme --json'],
  },
  'project update': {
    about: 'What is not said stays as it is.',
    examples: ['project update web --org acme --requests 600', 'project update web --tokens none'],
  },
  'project delete': {
    about: 'Its name is free again; its budgets and its ledger stay. Asks whether it is meant.',
    examples: ['project delete web --org acme --yes', 'project delete web --now --yes'],
  },
  user: {
    about:
      'Users log in by an OpenID provider, or by a link that the operator makes. What they may do is said by `member`.',
    examples: [
      'user create --email ada@example.com --org acme --role owner --login-link',
      'user list',
    ],
  },
  'user create': {
    about:
      'With --org and --role it is a member at once; with --login-link it can log in at once: all that the first person of an installation needs.',
    examples: [
      'user create --email ada@example.com --org acme --role owner --login-link',
      'user create --email grace@example.com --name "Grace Hopper" --operator',
    ],
  },
  'user list': {
    about: 'invited: was never logged in; disabled: cannot log in.',
    examples: ['user list', 'user list --csv'],
  },
  'user show': {
    about: 'With the provider that it comes from, where it does.',
    examples: ['user show ada@example.com'],
  },
  'user update': {
    about: 'An operator may do all that the admin key may.',
    examples: ['user update ada@example.com --operator', 'user update ada@example.com --name Ada'],
  },
  'user disable': {
    about: 'Its sessions end at once, its roles stay for `enable`.',
    examples: ['user disable ada@example.com'],
  },
  'user enable': {about: 'With the roles that it had.', examples: ['user enable ada@example.com']},
  'user delete': {
    about: 'What it did stays in the audit, under its name. Asks whether it is meant.',
    examples: ['user delete ada@example.com --yes'],
  },
  'user login-link': {
    about: 'Whoever opens it first is logged in as this user: send it as you would a password.',
    examples: ['user login-link ada@example.com', 'user login-link ada@example.com --json'],
  },
  member: {
    about:
      'viewer reads; member makes, rotates and revokes keys; admin manages members, projects and their budgets; owner may do all in the organisation. Nobody gives more than they have.',
    examples: ['member add grace@example.com --org acme --role member', 'member list --org acme'],
  },
  'member add': {
    about: 'Somebody who is no user yet becomes one, and is invited.',
    examples: [
      'member add grace@example.com --org acme --role admin',
      'member add linus@example.com --org acme --project web --role viewer',
    ],
  },
  'member list': {
    about: 'A role in all of the organisation says `all` where the project would stand.',
    examples: ['member list --org acme', 'member list --org acme --project web'],
  },
  'member update': {
    about: 'Without --project it is the role in all of the organisation.',
    examples: ['member update grace@example.com --org acme --role owner'],
  },
  'member remove': {
    about: 'The last owner stays.',
    examples: ['member remove grace@example.com --org acme'],
  },
  'group-role': {
    about:
      'Whom the OpenID provider has in a group, has the role from the next login on, without being added.',
    examples: ['group-role add platform-team --org acme --role admin'],
  },
  'group-role add': {
    about: 'The group is named as the provider names it in its token.',
    examples: [
      'group-role add platform-team --org acme --role admin',
      'group-role add web-readers --org acme --project web --role viewer',
    ],
  },
  'group-role list': {
    about: 'Those of the organisation and of its projects.',
    examples: ['group-role list --org acme'],
  },
  'group-role update': {
    about: 'Counts from the next login of each of them.',
    examples: ['group-role update platform-team --org acme --role member'],
  },
  'group-role remove': {
    about: 'Counts from the next login of each of them.',
    examples: ['group-role remove platform-team --org acme'],
  },
};
