/** Bare: the least that answers: what a start is compared with. CommonJS, which Node starts in half the time of an ES module. */
const {createServer} = require('node:http');

const server = createServer((request, response) => {
  request.resume();
  response.writeHead(200, {'content-type': 'text/plain'}).end('hello');
});
server.listen(Number(process.env.PORT ?? 8080));
process.once('SIGTERM', () => process.exit(0));
