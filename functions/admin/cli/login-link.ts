/**
Login link: what a person without a provider opens, once, to be logged in.

In: a user's id. Out: the link, on the server that the command speaks with. The token stands behind the #, which a browser sends nowhere.
*/
import type {Client, Item} from './client.ts';

export const linkOf = async (client: Client, user: string): Promise<Item> => {
  const {path, expiresAt} = await client.send('POST', `/users/${user}/login-links`, {});
  return {loginLink: `${client.url}${path}`, linkExpiresAt: expiresAt};
};
