/**
Help texts: what the commands' `--help` says beside their options. Examples are typed without `sluice`, and a test parses them all.
*/
import type {HelpTexts} from './help.ts';
import {eventTexts} from './texts-events.ts';
import {keyTexts} from './texts-keys.ts';
import {moneyTexts} from './texts-money.ts';
import {operationTexts} from './texts-operation.ts';
import {tenantTexts} from './texts-tenants.ts';

export const helpTexts: HelpTexts = {
  ...moneyTexts,
  ...operationTexts,
  ...tenantTexts,
  ...keyTexts,
  ...eventTexts,
};
