/** Help texts of keys: those that clients of the gateway call with, and those of machines for the admin API. */
import type {HelpTexts} from './help.ts';

export const keyTexts: HelpTexts = {
  whoami: {
    about: 'The admin key and operators may do everything; anybody else what their roles say.',
    examples: ['whoami', 'whoami --context prod --json'],
  },
  key: {
    about:
      'A key is of a project. It is printed once, when it is made or rotated; only its hash is stored. It is named by its id, its public id or its name.',
    examples: ['key create site --project web', 'key list --org acme', 'key rotate site'],
  },
  'key create': {
    about:
      'Without limits it may do what its project may: all models, all environments, for ever. In a script, take the key from --json.',
    examples: [
      'key create site --project web --requests 600 --max-output-tokens 1024',
      'key create ci --project web --models tiny --scopes inference --expires-in 90d --json',
    ],
  },
  'key list': {
    about: 'With when it was used last, to the minute or so.',
    examples: ['key list --org acme', 'key list --project web --csv'],
  },
  'key show': {
    about: 'All but the secret, which nobody has but who was given it.',
    examples: ['key show site', 'key show site --project web --json'],
  },
  'key update': {
    about: 'What is not said stays as it is. A revoked key stays revoked.',
    examples: [
      'key update site --requests 1200 --models all',
      'key update site --expires-at never --environments production',
    ],
  },
  'key rotate': {
    about:
      'The key keeps its id, limits and history and gets another secret, printed once. Both are good until --overlap is over; with --overlap 0 the old one ends now.',
    examples: [
      'key rotate site',
      'key rotate site --overlap 1h --json',
      'key rotate site --overlap 0',
    ],
  },
  'key revoke': {
    about:
      'For a key that leaked: both secrets end, on every gateway within a second. Running requests end by themselves; with --now they are cut.',
    examples: ['key revoke site', 'key revoke site --project web --now'],
  },
  'service-key': {
    about:
      'A service key calls the admin API as a machine with one role, in an organisation or a project: SLUICE_ADMIN_KEY takes it, too.',
    examples: ['service-key create terraform --org acme --role admin --expires-in 90d'],
  },
  'service-key create': {
    about: 'It is printed once. Its role is at most that of who makes it.',
    examples: [
      'service-key create terraform --org acme --role admin --expires-in 90d',
      'service-key create reports --org acme --project web --role viewer --json',
    ],
  },
  'service-key list': {
    about: 'Revoked ones too, because they stand in the audit.',
    examples: ['service-key list --org acme'],
  },
  'service-key show': {
    about: 'All but the secret.',
    examples: ['service-key show terraform --org acme'],
  },
  'service-key revoke': {
    about: 'The next call with it is refused.',
    examples: ['service-key revoke terraform --org acme'],
  },
};
