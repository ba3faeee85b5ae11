/**
Document: the OpenAPI document of the whole of `/admin/v1`, by which requests are checked, as JSON. No secret is in it.
*/
import {readFileSync} from 'node:fs';
import type {Router} from 'express';
import {contractFile, parseDocument} from './contract.ts';
import type {Dependencies} from './dependencies.ts';

export const documentRoutes = ({contract}: Dependencies) =>
  function addDocumentRoutes(router: Router) {
    let json: string | undefined;
    router.get('/admin/v1/openapi.json', (request, response) => {
      contract.query('getOpenApi', request.query);
      json ??= JSON.stringify(parseDocument(readFileSync(contractFile, 'utf8')));
      response.type('json').send(json);
    });
  };
