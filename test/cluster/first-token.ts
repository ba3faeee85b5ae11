/**
First token: what a new operator does first: an organisation with a key, a model, a streamed request.

In: an installation that may still be starting. Out: resolves when the first token is there. Each step is tried until it works: an
ingress knows no new name for some seconds, and a function comes from zero.
*/

import {eventually} from '../helpers/eventually.ts';
import type {Description} from '../helpers/installation.ts';
import {openInstallation} from '../helpers/installation.ts';

const patience = {timeoutMs: 300_000, intervalMs: 100};

export const askFirstToken = async (description: Description) => {
  const teardowns: (() => unknown)[] = [];
  const installation = openInstallation(
    {teardown: callback => void teardowns.push(callback)},
    description,
  );
  const {admin, model} = installation;
  try {
    const registered = eventually(
      () =>
        admin.post('/models', {
          name: model.name,
          environment: 'development',
          endpoints: [model.url],
          contextLength: 8_192,
          price: {inputPerMillion: '0.50', outputPerMillion: '1.50'},
        }),
      patience,
    );
    const tenant = await eventually(() => admin.createTenant('First'), patience);
    await registered;
    await eventually(async () => {
      const stream = await installation.openai(tenant.apiKey).chat.completions.create({
        model: model.name,
        messages: [{role: 'user', content: 'Say something.'}],
        stream: true,
        max_tokens: 8,
      });
      let text = '';
      for await (const chunk of stream) {
        text += chunk.choices[0]?.delta.content ?? '';
      }
      if (text === '') {
        throw new Error('the stream had no token');
      }
    }, patience);
  } finally {
    for (const close of teardowns) {
      await close();
    }
  }
};
