// The svix client of npm, unchanged, through everything that it does with a server. Ends with 1 and the first difference.
// Reads SERVER and KEY; its own server is the subscriber, which verifies with the package.
import assert from "node:assert/strict";
import { createServer } from "node:http";
import { setTimeout as pause } from "node:timers/promises";
import { Svix, Webhook } from "svix";

const svix = new Svix(process.env.KEY, { serverUrl: process.env.SERVER });

const arrivals = [];
let status = 200;
const subscriber = createServer((request, response) => {
  const chunks = [];
  request.on("data", (chunk) => chunks.push(chunk));
  request.on("end", () => {
    arrivals.push({ headers: request.headers, body: Buffer.concat(chunks).toString() });
    response.writeHead(status).end("thanks");
  });
});
await new Promise((resolve) => subscriber.listen(0, "127.0.0.1", resolve));
const url = `http://127.0.0.1:${subscriber.address().port}/hooks`;

/** What `look` answers once that is true; asked again and again, for ten seconds. */
async function until(look) {
  for (const end = Date.now() + 10_000; Date.now() < end; await pause(30)) {
    const seen = await look();
    if (seen) return seen;
  }
  throw new Error(`never: ${look}`);
}

async function refused(code, promise) {
  const error = await promise.then(() => assert.fail("accepted"), (caught) => caught);
  assert.equal(error.code, code, String(error));
  return error.body;
}

async function applications() {
  const app = await svix.application.create({ name: "Acme", uid: "acme", metadata: { plan: "free" } });
  assert.deepEqual(await svix.application.get("acme"), app);
  assert.ok(app.createdAt instanceof Date && !Number.isNaN(app.createdAt.valueOf()));
  assert.deepEqual(await svix.application.getOrCreate({ name: "other", uid: "acme" }), app);
  assert.equal((await refused(409, svix.application.create({ name: "other", uid: "acme" }))).code, "conflict");
  assert.deepEqual((await refused(422, svix.application.create({ name: "" }))).detail[0].loc, ["body", "name"]);
  assert.equal((await refused(404, svix.application.get("nobody"))).code, "not_found");
  assert.equal((await svix.application.patch(app.id, { throttleRate: 500 })).throttleRate, 500);
  assert.equal((await svix.application.patch(app.id, { throttleRate: null })).throttleRate ?? null, null);
  assert.equal((await svix.application.update(app.id, { name: "Acme Inc.", uid: "acme" })).name, "Acme Inc.");
  for (let number = 0; number < 3; number++) await svix.application.create({ name: `number ${number}` });
  const first = await svix.application.list({ limit: 3 });
  const second = await svix.application.list({ limit: 3, iterator: first.iterator });
  assert.deepEqual([first.data.length, first.done, second.data.length, second.done], [3, false, 1, true]);
  assert.deepEqual((await svix.application.list({ limit: 3, iterator: second.prevIterator })).data, first.data);
  assert.equal((await svix.application.list({ order: "descending" })).data.at(-1).id, app.id);
  const twice = () => svix.application.create({ name: "once" }, { idempotencyKey: "once" });
  assert.equal((await twice()).id, (await twice()).id);
  return app.id;
}

async function eventTypes() {
  const schemas = { 1: { type: "object", required: ["id"], examples: [{ id: 7 }] } };
  const made = await svix.eventType.create({ name: "user.signup", description: "A user came", schemas });
  assert.deepEqual(await svix.eventType.get("user.signup"), made);
  assert.deepEqual(made.schemas, schemas);
  assert.ok((await svix.eventType.patch("user.signup", { deprecated: true })).deprecated);
  assert.equal((await svix.eventType.update("user.left", { description: "gone" })).name, "user.left");
  await refused(422, svix.eventType.create({ name: "bad", description: "", schemas: { 1: { type: "no such" } } }));
  assert.deepEqual((await svix.eventType.list({ withContent: true })).data.map((one) => one.name), ["user.left", "user.signup"]);
  await svix.eventType.delete("user.left");
  assert.deepEqual((await svix.eventType.list()).data.map((one) => one.name), ["user.signup"]);
  assert.ok((await svix.eventType.list({ includeArchived: true })).data.some((one) => one.archived));
}

async function endpoints(app) {
  const endpoint = await svix.endpoint.create(app, { url, eventTypes: ["user.signup"], uid: "main" });
  assert.deepEqual(await svix.endpoint.get(app, "main"), endpoint);
  assert.deepEqual((await svix.endpoint.patch(app, endpoint.id, { channels: ["one"] })).channels, ["one"]);
  assert.equal((await svix.endpoint.patch(app, endpoint.id, { channels: null })).channels ?? null, null);
  const changed = { url, eventTypes: ["user.signup"], uid: "main", description: "ours" };
  assert.equal((await svix.endpoint.update(app, "main", changed)).description, "ours");
  await svix.endpoint.updateHeaders(app, "main", { headers: { "X-One": "1", "X-Two": "2" } });
  await svix.endpoint.patchHeaders(app, "main", { headers: { Authorization: "Bearer x" } });
  const headers = await svix.endpoint.getHeaders(app, "main");
  assert.deepEqual([headers.headers, headers.sensitive], [{ "X-One": "1", "X-Two": "2" }, ["Authorization"]]);
  const before = (await svix.endpoint.getSecret(app, "main")).key;
  await svix.endpoint.rotateSecret(app, "main", {});
  const after = (await svix.endpoint.getSecret(app, "main")).key;
  assert.notEqual(after, before);
  await svix.endpoint.create(app, { url, disabled: true });
  const page = await svix.endpoint.list(app, { limit: 1, order: "ascending" });
  assert.deepEqual([page.data[0].id, page.done], [endpoint.id, false]);
  assert.equal((await svix.endpoint.list(app, { iterator: page.iterator, order: "ascending" })).data.length, 1);
  return [before, after];
}

async function messages(app, secrets) {
  const create = () =>
    svix.message.create(app, { eventType: "user.signup", eventId: "first", payload: { id: 7 } }, { idempotencyKey: "k1" });
  const message = await create();
  assert.equal((await create()).id, message.id);
  await refused(409, svix.message.create(app, { eventType: "user.signup", eventId: "first", payload: {} }));
  assert.deepEqual((await svix.message.get(app, "first")).payload, { id: 7 });
  await until(() => arrivals.length === 1);
  assert.equal(arrivals[0].headers["x-one"], "1");
  for (const secret of secrets) {
    assert.deepEqual(new Webhook(secret).verify(arrivals[0].body, arrivals[0].headers), { id: 7 });
  }

  const tagged = { eventType: "user.signup", payload: { id: 8 }, tags: ["blue"], channels: ["one"] };
  const other = await svix.message.create(app, tagged);
  await until(() => arrivals.length === 2);
  const newest = await svix.message.list(app, { limit: 1 });
  assert.deepEqual([newest.data[0].id, newest.done], [other.id, false]);
  assert.equal((await svix.message.list(app, { iterator: newest.iterator })).data[0].id, message.id);
  const found = async (options) => (await svix.message.list(app, options)).data.map((one) => one.id);
  assert.deepEqual(await found({ tag: "blue" }), [other.id]);
  assert.deepEqual(await found({ channel: "one" }), [other.id]);
  assert.deepEqual(await found({ eventTypes: ["nothing"] }), []);
  assert.deepEqual(await found({ before: other.timestamp }), [message.id]);
  assert.equal((await svix.message.precheck(app, { eventType: "user.signup" })).active, true);
  return message.id;
}

async function attempts(app, message) {
  const tried = async (options) => (await svix.messageAttempt.listByMsg(app, message, options)).data;
  const [first] = await until(async () => (await tried({ status: 0 })).length === 1 && tried());
  assert.deepEqual([first.responseStatusCode, first.response, first.msgId], [200, "thanks", message]);
  assert.deepEqual(await svix.messageAttempt.get(app, message, first.id), first);
  assert.equal((await svix.messageAttempt.listByEndpoint(app, "main", { limit: 1 })).done, false);
  assert.equal((await svix.messageAttempt.listAttemptedMessages(app, "main")).data.length, 2);
  assert.equal((await svix.messageAttempt.listAttemptedDestinations(app, message)).data[0].uid, "main");

  status = 500;
  await svix.messageAttempt.resend(app, message, "main");
  const [failed] = await until(async () => (await tried({ status: 2 })).length >= 1 && tried({ status: 2 }));
  assert.deepEqual([failed.responseStatusCode, failed.triggerType], [500, 1]);
  assert.equal((await tried({ statusCodeClass: 500 })).length >= 1, true);
  status = 200;
  const since = new Date(Date.now() - 3_600_000);
  await until(async () => (await svix.messageAttempt.listAttemptedMessages(app, "main", { status: 2 })).data.length === 1);
  const seen = arrivals.length;
  const task = await svix.endpoint.recover(app, "main", { since });
  await until(async () => (await svix.backgroundTask.get(task.id)).status === "finished");
  await until(() => arrivals.length > seen);
  await until(async () => (await svix.endpoint.getStats(app, "main")).success === 2);
  assert.ok((await svix.backgroundTask.list()).data.some((one) => one.id === task.id));

  await svix.messageAttempt.expungeContent(app, message, first.id);
  assert.equal((await svix.messageAttempt.get(app, message, first.id)).response, "EXPUNGED");
  await svix.message.expungeContent(app, message);
  assert.deepEqual((await svix.message.get(app, message)).payload, { expired: true });
  await refused(400, svix.messageAttempt.resend(app, message, "main"));
}

async function portal(app) {
  const access = await svix.authentication.appPortalAccess(app, { featureFlags: [] });
  assert.match(access.url, /#key=/);
  const visitor = new Svix(access.token, { serverUrl: process.env.SERVER });
  assert.equal((await visitor.endpoint.get(app, "main")).uid, "main");
  await refused(403, visitor.application.list());
  await svix.authentication.expireAll(app, { expiry: 0 });
  await until(() => visitor.endpoint.get(app, "main").then(() => false, (error) => error.code === 401)); // in a second
}

await refused(401, new Svix("junk", { serverUrl: process.env.SERVER }).application.list());
const app = await applications();
await eventTypes();
const secrets = await endpoints(app);
const message = await messages(app, secrets);
await attempts(app, message);
await portal(app);
const example = await svix.endpoint.sendExample(app, "main", { eventType: "user.signup" });
assert.deepEqual(example.payload, { id: 7 });
await svix.endpoint.delete(app, "main");
await refused(404, svix.endpoint.get(app, "main"));
await svix.application.delete(app);
await refused(404, svix.application.get(app));

// A base URL that ends in slashes: this client then asks for //api/v1/...
const slashed = new Svix(process.env.KEY, { serverUrl: `${process.env.SERVER}//` });
await slashed.application.create({ name: "Slashed", uid: "slashed" });
assert.equal((await slashed.message.create("slashed", { eventType: "user.signup", payload: {} })).eventType, "user.signup");
subscriber.close();
console.log("done");
