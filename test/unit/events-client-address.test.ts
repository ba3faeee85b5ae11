/** Who is at the other end, as logs and the audit name it. */
import test from 'ava';
import {addressOf} from '../../events/client-address.ts';

const cases: ReadonlyArray<readonly [string | undefined, string | undefined]> = [
  ['::ffff:10.1.2.3', '10.1.2.3'],
  ['10.1.2.3', '10.1.2.3'],
  ['2001:db8::1', '2001:db8::1'],
  ['::1', '::1'],
  [undefined, undefined],
];

for (const [remoteAddress, expected] of cases) {
  test(`${remoteAddress ?? 'a socket that is gone'} is ${expected ?? 'nobody'}`, t => {
    t.is(addressOf({remoteAddress}), expected);
  });
}
