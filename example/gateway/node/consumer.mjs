// An application in Node that gets its webhooks through Hookline: HOOKLINE_SECRET=whsec_... PORT=3000 node consumer.mjs
import { createServer } from "node:http";
import { Webhook } from "standardwebhooks";

const webhook = new Webhook(process.env.HOOKLINE_SECRET);
// In an application: a unique column, written in the transaction that does the work.
const done = new Set();

const server = createServer(async (request, response) => {
  const chunks = [];
  for await (const chunk of request) chunks.push(chunk);
  const body = Buffer.concat(chunks);
  try {
    // The bytes as they came: a framework that parses JSON first would give others back.
    webhook.verify(body, request.headers, { jsonParse: false });
  } catch {
    response.writeHead(401).end();
    return;
  }
  const id = request.headers["webhook-id"];
  if (!done.has(id)) {
    done.add(id);
    handle(request.headers["hookline-provider"], request.headers["hookline-event-type"], id, body);
  }
  response.writeHead(204).end(); // only now: what is not answered comes again
});

function handle(provider, type, id, body) {
  console.log(JSON.stringify({ provider, type, id, body: body.toString() }));
}

server.listen(Number(process.env.PORT ?? 3000), "127.0.0.1", () => console.log(`listening on ${server.address().port}`));
