/**
Operations: what each route of the admin API asks of who calls it.

In: an OpenAPI document whose operations state `x-access`. Out: the text of `events/access/operations.ts`.
*/
import {parse} from 'yaml';

type Operation = Readonly<{operationId?: string; 'x-access'?: Readonly<Record<string, unknown>>}>;
type Document = Readonly<{paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>}>;

export const renderOperations = (text: string): string => {
  const {paths} = parse(text) as Document;
  const operations = Object.entries(paths).flatMap(([path, item]) =>
    Object.entries(item).flatMap(([method, {operationId, 'x-access': access}]) => {
      if (operationId === undefined) {
        return [];
      }
      if (!access) {
        throw new Error(`${operationId} does not state who may call it (x-access)`);
      }
      return [
        {operation: operationId, method: method.toUpperCase(), path, subjects: [], ...access},
      ];
    }),
  );
  return `/**
Operations: who may call which route, and what of it names its subject.

Rendered from \`schemas/http/admin.yaml\` by \`npm run render\`; do not edit.
*/
import type {Operation} from './access.ts';

export const operations: readonly Operation[] = ${JSON.stringify(operations)};
`;
};
