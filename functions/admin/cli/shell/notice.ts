/**
Notice: what --verbose says of a call, and what is said of every call that is made again. Never a key.
*/
import type {Notice} from '../../client/client.ts';
import {maskBody, maskText} from './mask.ts';

export const noticeText = (notice: Notice): string => {
  const call = `${notice.method} ${maskText(notice.url)}`;
  switch (notice.kind) {
    case 'sent': {
      const body = notice.body === undefined ? '' : ` ${JSON.stringify(maskBody(notice.body))}`;
      return `> ${call}${body}\n`;
    }
    case 'answered': {
      const request = notice.requestId === undefined ? '' : `, request ${notice.requestId}`;
      return `< ${notice.status} ${call} in ${Math.round(notice.ms)} ms${request}\n`;
    }
    case 'retry': {
      const seconds = (notice.delayMs / 1_000).toFixed(1);
      return `sluice: ${notice.error.message}; it is tried again in ${seconds} s\n`;
    }
  }
};
