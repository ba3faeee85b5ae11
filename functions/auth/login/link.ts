/**
Link: a login without a provider: whoever has the link, once.

In: a token that the operator made for a user. Out: a session. The token is in the fragment of the link, which no browser sends, so it
is in no log; and a page uses it at a click, so that a mail scanner which opens links does not use it up.
*/
import type {Router} from 'express';
import {hashToken} from '../../../events/access/session.ts';
import {SluiceError} from '../../../events/errors.ts';
import {readJson} from '../../../events/json-body.ts';
import type {Logger} from '../../../events/telemetry.ts';
import {sendPage} from './pages.ts';
import {homePath} from './return-to.ts';
import {refuseForeign} from './same-origin.ts';
import {answerOf, type StartSession} from './session-start.ts';
import type {SessionStore} from './session-store.ts';

const tokenForm = /^[A-Za-z0-9_-]{43}$/;

const script = `'use strict';
const token=location.hash.slice(1),button=document.querySelector('button'),say=text=>{document.querySelector('#say').textContent=text};
history.replaceState(null,'',location.pathname);
if(!token){button.hidden=true;say('This is not a whole link.')}
button.onclick=async()=>{button.disabled=true;
try{const answer=await fetch('/auth/link',{method:'POST',headers:{'content-type':'application/json'},body:JSON.stringify({token})});
if(answer.ok)location.replace('${homePath}');else say((await answer.json()).detail)}
catch{say('Sluice cannot be reached; try again.');button.disabled=false}};`;

export const linkRoutes = ({
  store,
  startSession,
  publicUrl,
  logger,
}: {
  store: SessionStore;
  startSession: StartSession;
  publicUrl: string;
  logger: Logger;
}) =>
  function addRoutes(router: Router) {
    router.get('/auth/link', (_request, response) => {
      sendPage(response, {
        title: 'Log in to Sluice',
        body: ['<span id="say">This link works once.</span>', '<button>Log in</button>'],
        script,
      });
    });
    router.post('/auth/link', async (request, response) => {
      refuseForeign(request, publicUrl);
      const {token} = readJson(request);
      const user =
        typeof token === 'string' && tokenForm.test(token)
          ? await store.useLink(hashToken(token))
          : undefined;
      const started =
        user !== undefined &&
        (await startSession(request, response, {user, groups: [], isOperator: false}));
      if (!started) {
        throw new SluiceError(
          'unauthorized',
          'expected a login link that works, got one that is unknown, used or too old; ask for another',
        );
      }
      logger.info({user, by: 'link'}, 'logged in');
      response.json(answerOf(started.view, started.token));
    });
  };
