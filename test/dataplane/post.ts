/** Post: one event to a Broker, written by hand, header by header. */
import {request} from 'undici';

export const binary = (
  id: string,
  {type = 'test.done', ...more}: Record<string, string> = {},
): Record<string, string> => ({
  'ce-specversion': '1.0',
  'ce-id': id,
  'ce-source': '/test',
  'ce-type': type,
  'content-type': 'application/json',
  ...Object.fromEntries(
    Object.entries(more).map(([name, value]) => [
      name === 'content-type' ? name : `ce-${name}`,
      value,
    ]),
  ),
});

export const post = async (
  url: string,
  headers: Record<string, string>,
  body: string | Buffer = '{}',
  method: 'POST' | 'GET' | 'PUT' | 'DELETE' | 'OPTIONS' = 'POST',
) => {
  const response = await request(url, {
    method,
    headers,
    ...(method === 'GET' || method === 'OPTIONS' ? {} : {body}),
  });
  return {
    status: response.statusCode,
    headers: response.headers,
    body: await response.body.text(),
  };
};
