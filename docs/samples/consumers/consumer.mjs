// A consumer of webhooks with Node alone. Environment: PORT, DATABASE (a file), and SECRETS, separated by commas.
import { createHmac, timingSafeEqual } from "node:crypto";
import { closeSync, existsSync, fsyncSync, openSync, readFileSync, writeSync } from "node:fs";
import { createServer } from "node:http";

const SECRETS = (process.env.SECRETS ?? "").split(",").filter(Boolean);
const MAX_BODY = 1_000_000;

// >>> genuine-only, fresh-only, accepted
function isGenuine(body, headers, now) {
  const id = headers["webhook-id"] ?? "";
  const timestamp = headers["webhook-timestamp"] ?? "";
  if (!/^\d{1,12}$/.test(timestamp) || Math.abs(now - Number(timestamp)) > 300) return false;
  const given = (headers["webhook-signature"] ?? "").split(" ").map((text) => Buffer.from(text));
  return SECRETS.some((secret) => {
    // With no secret nothing is genuine; with two, either may have signed.
    const key = Buffer.from(secret.replace(/^whsec_/, ""), "base64");
    const digest = createHmac("sha256", key).update(`${id}.${timestamp}.`).update(body).digest("base64");
    const wanted = Buffer.from(`v1,${digest}`);
    return given.some((one) => one.length === wanted.length && timingSafeEqual(one, wanted));
  });
}
// <<<

// What is known is in memory, and every change is one line of a file: a table with a unique key does the same.
const processed = new Set();
const happened = [];
const objects = new Map();
const journal = openSync(process.env.DATABASE, "a");

// >>> exactly-once, tenants-apart
function processOnce(tenant, id, event) {
  if (processed.has(`${tenant} ${id}`)) return;
  const line = JSON.stringify([tenant, id, event.type, event.timestamp, event.data.id]);
  writeSync(journal, `${line}\n`); // one write holds the effect and "processed"
  fsyncSync(journal);
  apply(line);
}
// <<<

// >>> any-order
function apply(line) {
  const [tenant, id, type, timestamp, object] = JSON.parse(line);
  processed.add(`${tenant} ${id}`);
  happened.push([tenant, type, object]);
  const known = objects.get(`${tenant}/${object}`);
  if (!known || timestamp > known.timestamp) objects.set(`${tenant}/${object}`, { type, timestamp });
}
// <<<

// >>> no-crash
function read(body) {
  try {
    const event = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(body));
    const texts = [event.type, event.timestamp, event.data.id];
    return texts.every((text) => typeof text === "string" && text !== "" && !text.includes("\0")) ? event : null;
  } catch {
    return null;
  }
}
// <<<

// >>> durable, silent, in-time, whole-batch
function receive(tenant, headers, body) {
  if (!isGenuine(body, headers, Date.now() / 1000)) return [400, "refused"]; // the same words, whatever was wrong
  const event = read(body);
  if (event === null) return [400, "unreadable"];
  processOnce(tenant, headers["webhook-id"], event);
  return [200, "ok"]; // only now: it is on the disk, and nothing slow was done before
}
// <<<

const server = createServer((request, response) => {
  const answer = (status, text) => response.writeHead(status).end(text);
  if (request.method === "GET") {
    const states = [...objects].map(([name, { type }]) => [name, type]);
    return answer(200, JSON.stringify({ happened, objects: Object.fromEntries(states) }));
  }
  const pieces = [];
  let size = 0;
  request.on("data", (piece) => {
    size += piece.length;
    if (size <= MAX_BODY) pieces.push(piece);
  });
  request.on("end", () => {
    if (size > MAX_BODY) return answer(413, "too large");
    answer(...receive(request.url.split("/").at(-1), request.headers, Buffer.concat(pieces)));
  });
});

if (existsSync(process.env.DATABASE)) {
  const lines = readFileSync(process.env.DATABASE, "utf8").split("\n");
  if (lines.at(-1)) writeSync(journal, "\n"); // a line that a crash cut off was never answered
  for (const line of lines.slice(0, -1).filter((line) => line.endsWith("]"))) apply(line);
}
process.on("exit", () => closeSync(journal));
server.listen(Number(process.env.PORT), "127.0.0.1");
