/** Login pages: what a person is told when a login does not end in a session, and what to do about it. */
import type {Page} from './pages.ts';
import {escapeHtml} from './pages.ts';
import type {ProviderFault} from './provider-fault.ts';

const again = '<a href="/auth/login">Log in again</a>';

export const howByLink: Page = {
  title: 'Log in by link',
  body: [
    'This Sluice has no OpenID provider, so people log in by a link that works once. Whoever runs it makes one:',
    '<code>npm run sluice -- user login-link you@example.org</code>',
    'To log in by a provider, set <code>OIDC_ISSUER</code> and <code>OIDC_CLIENT_ID</code>.',
  ],
};

export const startAgain: Page = {
  title: 'Start again',
  status: 400,
  body: [
    'This login took too long, was used already, or began in another browser or under another name of this host.',
    again,
  ],
};

export const notVerified: Page = {
  title: 'Your email is not verified',
  status: 403,
  body: [
    'The provider gave no email that it has verified, and by an unverified one anybody could be anybody. Verify it there, then come back.',
    again,
  ],
};

export const alreadyTaken: Page = {
  title: 'This email belongs to another account',
  status: 403,
  body: ['Somebody else of the provider logs in with it already. Ask whoever runs this Sluice.'],
};

export const notInvited: Page = {
  title: 'You are not invited',
  status: 403,
  body: [
    'The provider knows you, this Sluice does not: ask an owner of your organisation for an invitation.',
  ],
};

export const disabled: Page = {
  title: 'Your account is disabled',
  status: 403,
  body: ['Ask whoever runs this Sluice.'],
};

export const providerPage = ({kind, error}: ProviderFault): Page =>
  kind === 'refused'
    ? {
        title: 'The provider did not log you in',
        status: error === 'access_denied' ? 403 : 400,
        body: [`It says <code>${escapeHtml(error ?? 'nothing more')}</code>.`, again],
      }
    : {
        title: kind === 'away' ? 'The provider is away' : 'The provider cannot be believed',
        status: kind === 'away' ? 503 : 502,
        body: [
          kind === 'away'
            ? 'It cannot be reached, or answers too late. Who is logged in stays so.'
            : 'Its answer does not hold; the log of the function auth says why.',
          again,
        ],
      };
