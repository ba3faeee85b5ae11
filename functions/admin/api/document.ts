/**
Document: the OpenAPI document of the whole of `/admin/v1`, by which requests are checked, as JSON. No secret is in it.
*/
import {readFileSync} from 'node:fs';
import type {Router} from 'express';
import {parse} from 'yaml';
import {contractFile} from './contract.ts';
import type {Dependencies} from './dependencies.ts';

export const documentRoutes = ({contract}: Dependencies) =>
  function addDocumentRoutes(router: Router) {
    const json = JSON.stringify(parse(readFileSync(contractFile, 'utf8')));
    router.get('/admin/v1/openapi.json', (request, response) => {
      contract.query('getOpenApi', request.query);
      response.type('json').send(json);
    });
  };
