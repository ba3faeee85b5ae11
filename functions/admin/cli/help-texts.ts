/**
Help texts: what the commands' `--help` says beside their options. Examples are typed without `sluice`, and a test parses them all.
*/
import type {HelpTexts} from './help.ts';
import {eventTexts} from './help-texts-events.ts';
import {keyTexts} from './help-texts-keys.ts';
import {moneyTexts} from './help-texts-money.ts';
import {operationTexts} from './help-texts-operation.ts';
import {tenantTexts} from './help-texts-tenants.ts';

export const helpTexts: HelpTexts = {
  ...moneyTexts,
  ...operationTexts,
  ...tenantTexts,
  ...keyTexts,
  ...eventTexts,
};
