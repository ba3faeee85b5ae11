/** Doctor, Redis: by REDIS_URL. Whether it answers, its version, whether it may throw away what is not used. */
import {ready, redisAt} from '../../../../events/redis.ts';
import {type Finding, fail, ok, reasonOf, warn} from './finding.ts';

const check = 'Redis';

export const checkRedis = async (url: string, timeoutMs: number): Promise<Finding[]> => {
  const refused = Promise.withResolvers<never>();
  refused.promise.catch(() => {});
  const client = await redisAt(url, {
    connectMs: timeoutMs,
    replyMs: timeoutMs,
    name: 'sluice-doctor',
    // The first try that fails is told; to wait for others is no use here.
    onError: refused.reject,
  })();
  try {
    await Promise.race([ready(client, timeoutMs), refused.promise]);
    const information = await client.info();
    const read = (name: string) => new RegExp(`^${name}:(.*?)\\r?$`, 'm').exec(information)?.[1];
    const policy = read('maxmemory_policy');
    return [
      ok(check, `version ${read('redis_version') ?? 'unknown'}, ${read('role') ?? 'unknown role'}`),
      ...(policy === undefined || policy === 'noeviction'
        ? []
        : [
            warn(
              'Redis memory',
              `maxmemory-policy is ${policy}: streams may be thrown away when memory is short`,
              'set maxmemory-policy noeviction',
            ),
          ]),
    ];
  } catch (error) {
    return [
      fail(
        check,
        reasonOf(error),
        'is it running and reachable from here, and are user and password in REDIS_URL right?',
      ),
    ];
  } finally {
    client.disconnect();
  }
};
