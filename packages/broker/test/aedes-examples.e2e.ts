import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { connectAsync } from 'mqtt'
import { expect, test } from 'vitest'
import { startExample } from './start-example.ts'
import { temporaryFolder } from '../../../tools/testing/temporary-folder.ts'

test('aedes-tcp tells who subscribes and publishes', async () => {
  const { port, program } = await startExample('aedes-tcp')
  const client = await connectAsync(`mqtt://127.0.0.1:${port}`, { clientId: 'c' })
  await client.subscribeAsync('a')
  await client.publishAsync('a', 'x', { qos: 1 })
  await program.line(/^c subscribes to a$/)
  await program.line(/^c publishes x on a$/)
  await client.endAsync()
})

test('aedes-tls serves clients over TLS', async context => {
  const directory = temporaryFolder()
  const [KEY, CERT] = [join(directory, 'key.pem'), join(directory, 'cert.pem')]
  const request = 'req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=localhost'
  const made = spawnSync('openssl', [...request.split(' '), '-keyout', KEY, '-out', CERT])
  if (made.error !== undefined) context.skip('openssl is missing: apt-get install openssl')
  const { port } = await startExample('aedes-tls', { KEY, CERT })
  const client = await connectAsync(`mqtts://localhost:${port}`, { rejectUnauthorized: false })
  await client.publishAsync('a', 'x', { qos: 2 })
  await client.endAsync()
})

test('aedes-users lets in, stamps and denies', async () => {
  const { port } = await startExample('aedes-users')
  const url = `mqtt://127.0.0.1:${port}`
  await expect(connectAsync(url, { username: 'eve', reconnectPeriod: 0 }, false)).rejects.toMatchObject({ code: 4 })
  const client = await connectAsync(url, { clientId: 'c', username: 'ann', password: 'secret' })
  const received = new Promise<string>(resolve => {
    client.once('message', (_topic, payload) => resolve(payload.toString()))
  })
  await client.subscribeAsync('a')
  await expect(client.subscribeAsync('private/x')).rejects.toThrow()
  await client.publishAsync('a', 'x', { qos: 1 })
  expect(await received).toBe('x (c)')
  await client.endAsync()
})
