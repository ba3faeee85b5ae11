/**
Client address: who is at the other end of a connection, for logs and the audit.

In: a socket. Out: its address; undefined once it is gone. A port that is open to IPv6 and IPv4 names an address of IPv4 as one of IPv6
(RFC 4291, 2.5.5.2), which nobody would find in another log.
*/
import type {Socket} from 'node:net';

const mapped = '::ffff:';

export const addressOf = ({remoteAddress}: Pick<Socket, 'remoteAddress'>): string | undefined =>
  remoteAddress?.startsWith(mapped) ? remoteAddress.slice(mapped.length) : remoteAddress;
