import { createHmac, timingSafeEqual } from "node:crypto";
import { readFileSync } from "node:fs";

/** Whether the message is genuine. `body` is a Buffer of what came, byte for byte: in Express, express.raw(). */
export function verify(body, id, timestamp, signatures, secret, now) {
  if (!/^\d+$/.test(timestamp) || Math.abs(now - Number(timestamp)) > 300) return false;
  const key = Buffer.from(secret.replace(/^whsec_/, ""), "base64");
  const digest = createHmac("sha256", key).update(`${id}.${timestamp}.`).update(body).digest("base64");
  const wanted = Buffer.from(`v1,${digest}`);
  return signatures.split(" ").some((text) => {
    const given = Buffer.from(text);
    return given.length === wanted.length && timingSafeEqual(given, wanted);
  });
}

const [id, timestamp, signatures, secret, now] = process.argv.slice(2);
process.exit(verify(readFileSync(0), id, timestamp, signatures, secret, Number(now)) ? 0 : 1);
