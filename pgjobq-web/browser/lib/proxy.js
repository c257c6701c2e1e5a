// A proxy that strips a prefix, as nginx does with `location /tools/jobs/ { proxy_pass http://127.0.0.1:3000/; }`.
import http from 'node:http';

const PREFIX = '/tools/jobs';

/** Starts a proxy to the root of this address. Returns its own address with the prefix, and how to close it. */
export async function proxy(address) {
  const server = http.createServer((request, response) => {
    if (request.url === PREFIX) return response.writeHead(301, { location: `${PREFIX}/` }).end();
    if (!request.url.startsWith(`${PREFIX}/`)) return response.writeHead(404).end();
    forward(new URL(request.url.slice(PREFIX.length), address), request, response);
  });
  await new Promise((listening) => server.listen(0, '127.0.0.1', listening));
  const close = () => {
    server.close();
    server.closeAllConnections();
  };
  return { at: `http://127.0.0.1:${server.address().port}${PREFIX}/`, close };
}

/** Forwards with the host of the server behind it, which is the default of nginx. */
function forward(to, request, response) {
  const options = { method: request.method, headers: { ...request.headers, host: to.host } };
  const onward = http.request(to, options, (answer) => {
    response.writeHead(answer.statusCode, answer.headers);
    answer.pipe(response);
  });
  onward.on('error', () => response.destroy());
  response.on('close', () => onward.destroy());
  request.pipe(onward);
}
