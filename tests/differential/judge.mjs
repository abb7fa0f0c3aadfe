// The other judge: npm `jose`, with the policy that the service has. Reads lines of JSON.
//
// The first line is the policy: [{issuer, jwks, algorithms, audiences, clients, leeway}]. Every
// other one is a question, {token, now}; each is answered with one line, in order: "accept", or
// the code of the refusal.
import { createInterface } from 'node:readline'
import { createLocalJWKSet, decodeJwt, decodeProtectedHeader, jwtVerify } from 'jose'

const REQUIRED = ['exp', 'iat', 'sub', 'azp', 'typ']

class Refused extends Error {
  constructor(code) {
    super(code)
    this.code = code
  }
}

function must(holds, code) {
  if (!holds) throw new Refused(code)
}

function readPolicy(line) {
  return new Map(
    JSON.parse(line).map((it) => [it.issuer, { ...it, keys: createLocalJWKSet(it.jwks) }]),
  )
}

// RFC 9068 lets an access token be `at+jwt`; jose compares with one type, and wants it there.
function typOption(token) {
  const { typ } = decodeProtectedHeader(token)
  if (typ === undefined) return {}
  return { typ: /at\+jwt$/i.test(typ) ? 'at+jwt' : 'JWT' }
}

async function judge(policy, { token, now }) {
  const issuer = policy.get(decodeJwt(token).iss)
  must(issuer, 'UNKNOWN_ISSUER')
  const { payload } = await jwtVerify(token, issuer.keys, {
    issuer: issuer.issuer,
    audience: issuer.audiences,
    algorithms: issuer.algorithms,
    clockTolerance: issuer.leeway,
    currentDate: new Date(now * 1000),
    requiredClaims: REQUIRED,
    ...typOption(token),
  })
  // What jose has no option for. It looks at `iat` beside a maximal age only, which we have not.
  must(payload.iat <= now + issuer.leeway, 'ISSUED_IN_THE_FUTURE')
  must(payload.typ === 'Bearer', 'NO_ACCESS_TOKEN')
  must(issuer.clients.includes(payload.azp), 'WRONG_CLIENT')
}

async function verdict(policy, line) {
  try {
    await judge(policy, JSON.parse(line))
    return 'accept'
  } catch (error) {
    return [error.code ?? error.name, error.claim].filter(Boolean).join(' ')
  }
}

let policy
let answered = Promise.resolve()
for await (const line of createInterface({ input: process.stdin })) {
  if (policy === undefined) {
    policy = readPolicy(line)
  } else {
    const pending = verdict(policy, line)
    answered = answered.then(async () => process.stdout.write(`${await pending}\n`))
  }
}
await answered
