/** Requests: the first stage of the end, which is the last of a start. */
import type {Gate} from '../activator/gate.ts';
import type {Ingress} from '../front-door/ingress.ts';
import {type Parts, settleAll} from '../parts.ts';
import {gatewayDrainMs} from './start.ts';

/** The first step of the end: no new request, and the gateway sees its running ones through. */
export const endRequests = ({
  parts,
  ingress,
  gateway,
}: {
  parts: Parts;
  ingress: Ingress;
  gateway: Gate | undefined;
}) => {
  parts.add({
    name: 'the requests',
    stop: async () => {
      await settleAll([ingress.drain(), gateway?.stop(gatewayDrainMs) ?? Promise.resolve()]);
    },
    kill: ingress.close,
  });
};
