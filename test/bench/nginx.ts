/**
Nginx: one worker that passes requests on over kept-alive connections, to tell what a proxy can cost at all.

In: a folder, the upstream. Out: its URL and worker's process id; undefined where nginx is not installed.
*/
import {spawn, spawnSync} from 'node:child_process';
import {once} from 'node:events';
import {mkdir, writeFile} from 'node:fs/promises';
import {type AddressInfo, connect, createServer} from 'node:net';
import {join} from 'node:path';
import {setTimeout as wait} from 'node:timers/promises';
import {childrenOf} from './cpu.ts';

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

const freePort = async () => {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const {port} = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
};

const answers = (port: number) =>
  new Promise<boolean>(resolve => {
    const socket = connect(port, '127.0.0.1', () => {
      socket.destroy();
      resolve(true);
    });
    socket.on('error', () => resolve(false));
  });

export const startNginx = async (folder: string, upstreamUrl: string) => {
  if (spawnSync('nginx', ['-v']).status !== 0) {
    return undefined;
  }
  await mkdir(folder, {recursive: true});
  const port = await freePort();
  const file = join(folder, 'nginx.conf');
  await writeFile(file, configuration(folder, port, new URL(upstreamUrl).host));
  const child = spawn('nginx', ['-c', file, '-p', folder], {stdio: 'inherit'});
  const exited = once(child, 'exit');
  for (let attempt = 0; !(await answers(port)); attempt++) {
    if (attempt === 100 || child.exitCode !== null) {
      throw new Error('nginx did not start');
    }
    await wait(50);
  }
  return {
    url: `http://127.0.0.1:${port}`,
    pid: childrenOf(child.pid as number)[0] as number,
    async stop() {
      child.kill('SIGTERM');
      await exited;
    },
  };
};
