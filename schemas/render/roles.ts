/**
Roles: the table of which role may do what.

In: an OpenAPI document whose operations state `x-access`, a page that has the place of the table. Out: the page with the table in it.
*/
import {parse} from 'yaml';
import {cell} from './catalogue.ts';

type Access = Readonly<{
  role: string;
  orgRole?: string;
  projectMembers?: boolean;
  subjects?: readonly unknown[];
}>;
type Operation = Readonly<{operationId?: string; summary?: string; 'x-access'?: Access}>;
type Document = Readonly<{paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>}>;

const begin = '<!-- Rendered from schemas/http/admin.yaml by `npm run render`; do not edit. -->';
const end = '<!-- End of what is rendered. -->';
const roles = ['viewer', 'member', 'admin', 'owner', 'operator'] as const;

const isEnough = (role: (typeof roles)[number], needed: string) =>
  needed === 'anyone' || roles.indexOf(role) >= roles.indexOf(needed as (typeof roles)[number]);

const cellOf = (role: (typeof roles)[number], {role: needed, orgRole = needed}: Access) => {
  if (!isEnough(role, needed)) {
    return '';
  }
  return isEnough(role, orgRole) ? 'yes' : "a project's";
};

const rowOf = ({operationId, summary = '', 'x-access': access}: Operation): string => {
  const need = access as Access;
  const near = need.projectMembers ? ' (of a project: what they see of it)' : '';
  const whose = need.role === 'anyone' ? ' (their own)' : near;
  const cells = roles.map(role => cellOf(role, need));
  return `| \`${operationId}\` | ${cell(summary)}${whose} | ${cells.join(' | ')} |`;
};

export const renderRoles = (text: string, page: string): string => {
  const {paths} = parse(text) as Document;
  const rows = Object.values(paths).flatMap(item =>
    Object.values(item)
      .filter(({operationId}) => operationId !== undefined)
      .map(rowOf),
  );
  const [before, rest] = page.split(begin);
  const after = rest?.split(end)[1];
  if (before === undefined || after === undefined) {
    throw new Error(`expected a page with ${begin} and ${end}`);
  }
  const table = [
    `| operation | does | ${roles.join(' | ')} |`,
    `| --- | --- |${' --- |'.repeat(roles.length)}`,
    ...rows,
  ];
  return [before, begin, '\n\n', table.join('\n'), '\n\n', end, after].join('');
};
