// What a broker does for its clients, tried by `npm run smoke` on an engine that runs no test runner: a line for each step, `STEP: works`
// or `STEP: ` and what went wrong. KEY and CERT name files of a certificate for localhost.
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'

/** ms for each step. */
const patience = 8000

async function step(name, act) {
  let timer
  const late = new Promise((_resolve, reject) => {
    timer = setTimeout(() => reject(new Error(`takes longer than ${patience} ms`)), patience)
  })
  try {
    await Promise.race([act(), late])
    console.log(`${name}: works`)
  } catch (error) {
    console.log(`${name}: ${String(error?.message ?? error).split('\n')[0]}`)
  } finally {
    clearTimeout(timer)
  }
}

const secrets = { key: readFileSync(process.env.KEY ?? ''), cert: readFileSync(process.env.CERT ?? '') }
let createBroker
let connectAsync
await step('import', async () => {
  ;({ createBroker } = await import('@x/broker'))
  ;({ connectAsync } = await import('mqtt'))
})
await step('require', async () => {
  const required = createRequire(import.meta.url)('@x/broker')
  await required().close()
})

async function exchange(url) {
  const client = await connectAsync(url, { rejectUnauthorized: false, reconnectPeriod: 0, protocolVersion: 5 }, false)
  const received = new Promise(resolve => {
    client.once('message', (_topic, payload) => resolve(payload.toString()))
  })
  await client.subscribeAsync('smoke/+', { qos: 2 })
  await client.publishAsync('smoke/test', 'exchanged', { qos: 2 })
  if ((await received) !== 'exchanged') throw new Error('another message')
  await client.endAsync()
}

const broker = createBroker()
for (const name of ['mqtt', 'mqtts', 'ws', 'wss'])
  await step(name, async () => {
    const tls = name.endsWith('s') && name !== 'ws' ? { tls: secrets } : {}
    const { port } = await broker.listen({ port: 0, host: '127.0.0.1', protocols: [name], ...tls })
    await exchange(`${name}://127.0.0.1:${port}`)
  })
await step('psk', async () => {
  const psk = Buffer.from('0123456789abcdef')
  const { port } = await broker.listen({
    port: 0,
    host: '127.0.0.1',
    protocols: ['mqtts'],
    tls: { pskCallback: () => psk },
  })
  const { connect } = await import('node:tls')
  await new Promise((resolve, reject) => {
    const socket = connect({
      port,
      host: '127.0.0.1',
      ciphers: 'PSK',
      minVersion: 'TLSv1.2',
      maxVersion: 'TLSv1.2',
      pskCallback: () => ({ psk, identity: 'device' }),
      checkServerIdentity: () => undefined,
    })
    socket.once('secureConnect', () => resolve(socket.destroy())).once('error', reject)
  })
})
await step('close', () => broker.close())
process.exit()
