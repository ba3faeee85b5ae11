/**
Pages: the few that a person meets on the way in. Without anything from elsewhere: what a page runs and looks like is allowed by its
hash, and no other site may show it in a frame.
*/
import {hash} from 'node:crypto';
import type {Response} from 'express';

export type Page = Readonly<{
  title: string;
  /** Paragraphs as HTML: whatever comes from outside goes through `escapeHtml`. */
  body: readonly string[];
  script?: string;
  status?: number;
}>;

const style =
  'body{font:16px/1.5 system-ui,sans-serif;max-width:34rem;margin:15vh auto;padding:0 1rem;color:#1a1a1a;background:#fff}' +
  'h1{font-size:1.4rem}button{font:inherit;padding:.4rem 1rem}code{background:#f2f2f2;padding:.1rem .3rem}' +
  '@media(prefers-color-scheme:dark){body{color:#eee;background:#161616}code{background:#2a2a2a}a{color:#9cf}}';

const entities: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};

export const escapeHtml = (text: string): string =>
  text.replaceAll(/[&<>"']/g, character => entities[character] as string);

const source = (text: string) => `'sha256-${hash('sha256', text, 'base64')}'`;

export const sendPage = (response: Response, {title, body, script, status = 200}: Page) => {
  const policy = [
    "default-src 'none'",
    `style-src ${source(style)}`,
    ...(script === undefined ? [] : [`script-src ${source(script)}`, "connect-src 'self'"]),
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
  ].join('; ');
  response
    .status(status)
    .set({'Content-Security-Policy': policy, 'X-Frame-Options': 'DENY'})
    .type('html')
    .send(
      `<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">` +
        `<title>${escapeHtml(title)} · Sluice</title><style>${style}</style></head><body><main><h1>${escapeHtml(title)}</h1>` +
        body.map(part => `<p>${part}</p>`).join('') +
        `</main>${script === undefined ? '' : `<script>${script}</script>`}</body></html>`,
    );
};
