/**
Nginx: one worker that passes requests on over kept-alive connections, to tell what a proxy can cost at all.

In: a folder, the upstream. Out: the peer; an error that says what to install where Debian's package cannot be.
*/
import {mkdir, writeFile} from 'node:fs/promises';
import {join} from 'node:path';
import {findOnPath, type Installing, installPackage} from '../../runner/install.ts';
import {type Peer, startPeer} from './peer.ts';

const configuration = (folder: string, port: number, upstream: string) => `
daemon off; master_process on; worker_processes 1; pid ${folder}/pid; error_log stderr crit;
events {worker_connections 4096;}
http {
  access_log off; keepalive_requests 100000000; keepalive_timeout 120s;
  client_body_temp_path ${folder}/body; proxy_temp_path ${folder}/proxy; fastcgi_temp_path ${folder}/fastcgi;
  uwsgi_temp_path ${folder}/uwsgi; scgi_temp_path ${folder}/scgi;
  upstream model {server ${upstream}; keepalive 1024; keepalive_requests 100000000;}
  server {
    listen 127.0.0.1:${port};
    location / {proxy_pass http://model; proxy_http_version 1.1; proxy_set_header Connection ""; proxy_buffering off;}
  }
}`;

const advice = 'install nginx (Debian: `apt-get install nginx-light`), with `nginx` on the PATH';

export const startNginx = async (
  {folder, upstreamUrl}: {folder: string; upstreamUrl: string},
  installing: Installing,
): Promise<Peer> => {
  if (findOnPath('nginx') === undefined) {
    await installPackage('nginx-light', advice, installing);
  }
  await mkdir(folder, {recursive: true});
  return startPeer({
    name: 'nginx',
    folder,
    command: findOnPath('nginx') ?? 'nginx',
    async argumentsAt(port) {
      const file = join(folder, 'nginx.conf');
      await writeFile(file, configuration(folder, port, new URL(upstreamUrl).host));
      return ['-c', file, '-p', folder];
    },
  });
};
