/**
PostgreSQL's passwords: what pg computes to log in, in place of its own, which asks Web Crypto: of its ten steps each waits for a thread,
and it is loaded for nothing else.

In: passwords, salts, messages. Out: the same bytes as pg's `crypto/utils.js`. A pool's connections are of one role, so the dear step, thousands of
hashes, is made once for all of them.
*/
import {createHash, createHmac, pbkdf2, randomBytes} from 'node:crypto';

/** Of roles: a program has one to three. */
const keptMax = 8;
const kept = new Map<string, Promise<Buffer>>();

const derive = (password: string, salt: Uint8Array, iterations: number) =>
  new Promise<Buffer>((resolve, reject) =>
    pbkdf2(password, salt, iterations, 32, 'sha256', (error, key) =>
      error ? reject(error) : resolve(key),
    ),
  );

const deriveKey = (password: string, salt: Uint8Array, iterations: number): Promise<Buffer> => {
  const name = JSON.stringify([password, Buffer.from(salt).toString('hex'), iterations]);
  const known = kept.get(name);
  if (known) {
    return known;
  }
  const made = derive(password, salt, iterations);
  if (kept.size >= keptMax) {
    kept.clear();
  }
  kept.set(name, made);
  made.catch(() => kept.delete(name));
  return made;
};

const hashByName = async (name: string, data: string | Uint8Array) =>
  createHash(name).update(data).digest();

const sha256 = (data: string | Uint8Array) => hashByName('sha256', data);

const hmacSha256 = async (key: Uint8Array, message: string) =>
  createHmac('sha256', key).update(message).digest();

const md5 = async (data: string | Uint8Array) => createHash('md5').update(data).digest('hex');

const postgresMd5PasswordHash = async (user: string, password: string, salt: Uint8Array) =>
  `md5${await md5(Buffer.concat([Buffer.from(await md5(password + user)), salt]))}`;

export {deriveKey, hashByName, hmacSha256, md5, postgresMd5PasswordHash, randomBytes, sha256};
