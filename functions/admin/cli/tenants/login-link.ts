/**
Login link: what a person without a provider opens, once, to be logged in.

In: the server, a user's id. Out: the link. The token stands behind the #, which a browser sends nowhere.
*/
import type {Item} from '../shell/client.ts';
import type {Context} from '../shell/context.ts';
import {Failure} from '../shell/failure.ts';

export const linkOf = async ({client, settings}: Context, user: string): Promise<Item> => {
  const {path, expiresAt} = await client().send('POST', `/users/${user}/login-links`, {});
  if (path === undefined) {
    throw new Failure('failed', 'the answer with the link was lost on the way: ask for another');
  }
  return {loginLink: `${settings().url}${path}`, linkExpiresAt: expiresAt};
};
