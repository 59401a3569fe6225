// Asks the senders' own packages: one request a line of JSON on standard input, one answer a line on standard output.
//
// A request has `package`, `action` ("verify" or "sign"), `secret`, `now` (Unix seconds), `method`, `url`, `headers`
// (lower-case names), `body_base64`, and `documents`: what is found under a URL. Nothing here opens a connection.
// An answer is {"accepted": true}, {"accepted": false, "reason"}, {"headers"} or, where the request makes no sense,
// {"error"}. Packages are loaded when first asked for.

import crypto from 'node:crypto'
import https from 'node:https'
import readline from 'node:readline'
import { Readable } from 'node:stream'

const LIVEKIT_KEY = 'APIwLeah7g4fuLYDYAJeaKsSE'

const text = (request) => Buffer.from(request.body_base64, 'base64').toString('utf8')
const bytes = (request) => Buffer.from(request.body_base64, 'base64')
const path = (request) => request.url.slice(new URL(request.url).origin.length)

// A verifier returns whether it accepts, or throws to refuse; a signer returns the headers that it adds.
const packages = {
  '@octokit/webhooks-methods': async () => {
    const { sign, verify } = await import('@octokit/webhooks-methods')
    return {
      verify: (request) => verify(request.secret, text(request), request.headers['x-hub-signature-256']),
      sign: async (request) => ({ 'x-hub-signature-256': await sign(request.secret, text(request)) }),
    }
  },

  '@shopify/shopify-api': async () => {
    await import('@shopify/shopify-api/adapters/web-api')
    const { ApiVersion, shopifyApi } = await import('@shopify/shopify-api')
    return {
      verify: async (request) => {
        const shopify = shopifyApi({
          apiKey: 'made-up',
          apiSecretKey: request.secret,
          apiVersion: ApiVersion.July25,
          hostName: new URL(request.url).host,
          isEmbeddedApp: false,
          logger: { log: () => {} },
        })
        const { url, method, headers } = request
        const rawRequest = new Request(url, { method, headers, body: bytes(request) })
        const result = await shopify.webhooks.validate({ rawBody: text(request), rawRequest })
        return result.valid || refuse(result.reason)
      },
    }
  },

  '@notionhq/client': async () => {
    const { signWebhookPayload, verifyWebhookSignature } = await import('@notionhq/client')
    return {
      verify: (request) =>
        verifyWebhookSignature({
          body: bytes(request),
          signature: request.headers['x-notion-signature'],
          verificationToken: request.secret,
        }),
      sign: async (request) => ({
        'x-notion-signature': await signWebhookPayload({ body: bytes(request), verificationToken: request.secret }),
      }),
    }
  },

  '@linear/sdk': async () => {
    const { LinearWebhookClient } = await import('@linear/sdk/webhooks')
    return {
      verify: (request) =>
        new LinearWebhookClient(request.secret).verify(bytes(request), request.headers['linear-signature']),
    }
  },

  '@contentful/node-apps-toolkit': async () => {
    const { signRequest, verifyRequest } = await import('@contentful/node-apps-toolkit')
    const canonical = (request) => ({
      method: request.method,
      path: path(request),
      headers: request.headers,
      body: text(request),
    })
    return {
      verify: (request) => verifyRequest(request.secret, canonical(request)),
      sign: (request) => signRequest(request.secret, canonical(request), Math.floor(request.now * 1000)),
    }
  },

  '@sanity/webhook': async () => {
    const { SIGNATURE_HEADER_NAME, assertValidSignature, encodeSignatureHeader } = await import('@sanity/webhook')
    return {
      verify: async (request) => {
        await assertValidSignature(text(request), request.headers[SIGNATURE_HEADER_NAME], request.secret)
        return true
      },
      sign: async (request) => ({
        [SIGNATURE_HEADER_NAME]: await encodeSignatureHeader(
          text(request),
          Math.floor(request.now * 1000),
          request.secret,
        ),
      }),
    }
  },

  'discord-interactions': async () => {
    const { verifyKey } = await import('discord-interactions')
    return {
      verify: ({ headers, secret, ...request }) =>
        verifyKey(bytes(request), headers['x-signature-ed25519'], headers['x-signature-timestamp'], secret),
    }
  },

  '@sendgrid/eventwebhook': async () => {
    const { EventWebhook, EventWebhookHeader } = (await import('@sendgrid/eventwebhook')).default
    const webhook = new EventWebhook()
    return {
      verify: (request) =>
        webhook.verifySignature(
          webhook.convertPublicKeyToECDSA(request.secret),
          bytes(request),
          request.headers[EventWebhookHeader.SIGNATURE().toLowerCase()],
          request.headers[EventWebhookHeader.TIMESTAMP().toLowerCase()],
        ),
    }
  },

  'sns-validator': async () => {
    const { default: MessageValidator } = await import('sns-validator')
    return {
      verify: async (request) => {
        // The validator has no other way to be given a certificate.
        https.get = (url, answer) => {
          const found = request.documents[url]
          const response = Readable.from(found === undefined ? [] : [Buffer.from(found)])
          answer(Object.assign(response, { statusCode: found === undefined ? 404 : 200 }))
          return response
        }
        await new Promise((resolve, reject) => {
          new MessageValidator().validate(text(request), (error) => (error ? reject(error) : resolve()))
        })
        return true
      },
    }
  },

  svix: async () => standardWebhooks((await import('svix')).Webhook, 'svix', {}),
  standardwebhooks: async () => standardWebhooks((await import('standardwebhooks')).Webhook, 'webhook', {}),
  // The same package with a key that is text, not base64.
  'standardwebhooks raw': async () =>
    standardWebhooks((await import('standardwebhooks')).Webhook, 'webhook', { format: 'raw' }),

  stripe: async () => {
    const { default: Stripe } = await import('stripe')
    return {
      verify: (request) => {
        Stripe.webhooks.constructEvent(bytes(request), request.headers['stripe-signature'], request.secret)
        return true
      },
      sign: (request) => ({
        'stripe-signature': Stripe.webhooks.generateTestHeaderString({
          payload: text(request),
          secret: request.secret,
          timestamp: Math.floor(request.now),
        }),
      }),
    }
  },

  '@mux/mux-node': async () => {
    const { default: Mux } = await import('@mux/mux-node')
    const mux = new Mux({ tokenId: 'made-up', tokenSecret: 'made-up' })
    return {
      verify: async (request) => {
        await mux.webhooks.verifySignature(text(request), request.headers, request.secret)
        return true
      },
    }
  },

  'livekit-server-sdk': async () => {
    const { AccessToken, WebhookReceiver } = await import('livekit-server-sdk')
    return {
      verify: async (request) => {
        await new WebhookReceiver(LIVEKIT_KEY, request.secret).receive(text(request), request.headers.authorization)
        return true
      },
      sign: async (request) => {
        const token = new AccessToken(LIVEKIT_KEY, request.secret)
        token.sha256 = crypto.createHash('sha256').update(bytes(request)).digest('base64')
        return { authorization: await token.toJwt() }
      },
    }
  },

  pusher: async () => {
    const { default: Pusher } = await import('pusher')
    return {
      verify: ({ headers, secret, ...request }) =>
        new Pusher({ appId: '1', key: headers['x-pusher-key'], secret, cluster: 'eu' })
          .webhook({ headers, rawBody: text(request) })
          .isValid(),
    }
  },

  'retell-sdk': async () => {
    const { Retell } = await import('retell-sdk')
    return {
      verify: (request) => Retell.verify(text(request), request.secret, request.headers['x-retell-signature']),
      sign: async (request) => ({ 'x-retell-signature': await Retell.sign(text(request), request.secret) }),
    }
  },

  'modern-treasury': async () => {
    const { default: ModernTreasury } = await import('modern-treasury')
    const { webhooks } = new ModernTreasury({ apiKey: 'made-up', organizationID: 'made-up' })
    return {
      verify: (request) => webhooks.validateSignature(text(request), request.headers, { key: request.secret }),
      sign: (request) => ({ 'x-signature': webhooks.getSignature(text(request), { key: request.secret }) }),
    }
  },
}

function standardWebhooks(Webhook, prefix, options) {
  return {
    verify: (request) => {
      new Webhook(request.secret, options).verify(bytes(request), request.headers)
      return true
    },
    sign: (request) => {
      const id = request.headers['webhook-id'] ?? request.headers['svix-id']
      const moment = new Date(Math.floor(request.now) * 1000)
      return {
        [`${prefix}-id`]: id,
        [`${prefix}-timestamp`]: String(moment / 1000),
        [`${prefix}-signature`]: new Webhook(request.secret, options).sign(id, moment, bytes(request)),
      }
    },
  }
}

function refuse(reason) {
  throw new Error(reason)
}

const loaded = new Map()

async function answer(request) {
  if (!(request.package in packages)) return { error: `there is no oracle for ${request.package}` }
  if (!loaded.has(request.package)) loaded.set(request.package, await packages[request.package]())
  const action = loaded.get(request.package)[request.action]
  if (action === undefined) return { error: `${request.package} cannot ${request.action}` }
  if (request.action === 'sign') return { headers: await action(request) }
  try {
    return (await action(request)) === true ? { accepted: true } : { accepted: false, reason: 'it returned false' }
  } catch (error) {
    return { accepted: false, reason: String(error) }
  }
}

for await (const line of readline.createInterface({ input: process.stdin })) {
  const answered = await answer(JSON.parse(line)).catch((error) => ({ error: String(error.stack) }))
  process.stdout.write(`${JSON.stringify(answered)}\n`)
}
