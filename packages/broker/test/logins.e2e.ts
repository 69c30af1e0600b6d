import { spawnSync } from 'node:child_process'
import { createHmac } from 'node:crypto'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { connectAsync } from 'mqtt'
import type { IClientOptions, MqttClient } from 'mqtt'
import { expect, onTestFinished, test } from 'vitest'
import { temporaryFolder } from '../../../tools/testing/temporary-folder.ts'
import { StartedProcess, commandFile, listeningUrl, portOf } from './started-command.ts'

const secret = 'a secret of more than thirty-two bytes'

function token(claims: object): string {
  const part = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url')
  const text = `${part({ alg: 'HS256' })}.${part(claims)}`
  return `${text}.${createHmac('sha256', secret).update(text).digest('base64url')}`
}

/** Lets in `good`, and to topics that begin with `a`, for who knows the word. */
async function serve(): Promise<string> {
  const server = createServer((request, response) => {
    let text = ''
    request.setEncoding('utf8').on('data', (chunk: string) => (text += chunk))
    request.on('end', () => {
      const { topic, username } = JSON.parse(text) as { topic?: string; username: string }
      const isAllowed = topic === undefined ? username === 'good' : topic.startsWith('a')
      const knows = request.headers.authorization === 'Bearer word'
      response.writeHead(knows && isAllowed ? 204 : 403).end()
    })
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  onTestFinished(() => {
    server.closeAllConnections()
    server.close()
  })
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

function configured(access: object): string {
  const file = join(temporaryFolder(), 'x.json')
  writeFileSync(file, JSON.stringify({ listeners: [{ port: 0 }], access, log: { destination: 'stdout' } }))
  return file
}

async function started(file: string): Promise<(options: IClientOptions) => Promise<MqttClient>> {
  const command = new StartedProcess(process.execPath, [commandFile, '-c', file, '--memory'])
  onTestFinished(() => command.stop())
  const url = `mqtt://127.0.0.1:${portOf(await listeningUrl(command))}`
  return async options => {
    const client = await connectAsync(url, { protocolVersion: 5, reconnectPeriod: 0, ...options })
    onTestFinished(() => void client.end(true))
    return client
  }
}

test('tokens and a server decide who comes in, and who may do what, as the configuration says', async () => {
  const url = await serve()
  const secretFile = join(temporaryFolder(), 'secret')
  writeFileSync(secretFile, secret)
  const connect = await started(
    configured({
      tokens: { secretFile, usernameClaim: 'name', rulesClaim: 'rules' },
      http: { login: `${url}/login`, authorize: `${url}/topic`, headers: { authorization: 'Bearer word' } },
      rules: ['allow publish # for user good'],
    }),
  )
  const ann = await connect({
    username: 'x',
    password: token({ name: 'ann', rules: ['allow publish a/${username}', 'allow publish b'] }),
  })
  const good = await connect({ username: 'good', password: 'x' })
  await ann.publishAsync('a/ann', '', { qos: 1 })
  await good.publishAsync('a/x', '', { qos: 1 })
  for (const [client, topic] of [
    [ann, 'b'],
    [ann, 'a/bob'],
    [good, 'b'],
  ] as const) {
    await expect(client.publishAsync(topic, '', { qos: 1 })).rejects.toMatchObject({ code: 0x87 })
  }
  for (const options of [
    { username: 'bad', password: 'x' },
    { username: 'x', password: `${token({ name: 'ann' })}x` },
    {},
  ]) {
    await expect(connect(options)).rejects.toMatchObject({ code: 0x87 })
  }
})

test('while a server hangs, those who stand in the password file come in', async () => {
  const held: ServerResponse[] = []
  const server = createServer((_request, response) => void held.push(response)).listen(0, '127.0.0.1')
  await once(server, 'listening')
  onTestFinished(() => {
    server.closeAllConnections()
    server.close()
  })
  const users = join(temporaryFolder(), 'users')
  spawnSync(process.execPath, [commandFile, 'passwd', '-c', '-b', '-H', 'sha512', users, 'ann', 'right'])
  const login = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const connect = await started(configured({ passwordFile: users, http: { login, timeout: 60_000 } }))
  for (let count = 0; count < 20; count += 1) {
    connect({ username: `user ${count}`, password: 'x', connectTimeout: 60_000 }).catch(() => undefined)
  }
  await expect.poll(() => held.length).toBe(20)
  await connect({ username: 'ann', password: 'right' })
  await expect(connect({ username: 'ann', password: 'wrong' })).rejects.toMatchObject({ code: 0x87 })
})

test('words that are sent to a server are not printed', () => {
  const file = configured({ http: { login: 'http://h/', headers: { authorization: 'Bearer word' } } })
  const { stdout } = spawnSync(process.execPath, [commandFile, '-c', file, '--print-config'], { encoding: 'utf8' })
  expect(stdout).toContain('authorization: (hidden)')
  expect(stdout).not.toContain('Bearer')
})

test.for<[access: object, code: number, problem: string]>([
  [{ tokens: {} }, 3, 'access.tokens needs one of secretFile, publicKeyFile, keysFile, keysUrl, it has none'],
  [{ tokens: { keysUrl: 'file:///x' } }, 3, 'access.tokens.keysUrl'],
  [{ tokens: { secretFile: '/nowhere/secret' } }, 13, '/nowhere/secret: '],
  [{ tokens: { keysFile: commandFile } }, 3, `${commandFile} is no JSON`],
  [{ http: { login: 'nowhere' } }, 3, 'access.http.login'],
  [{ http: { login: 'http://h/', timeout: 0 } }, 3, 'access.http.timeout is 0, it must be at least 1'],
])('%j is refused with exit code %i', ([access, code, problem]) => {
  const parameters = [commandFile, '-c', configured(access), '--check-config']
  const { status, stderr } = spawnSync(process.execPath, parameters, { encoding: 'utf8' })
  expect(stderr).toContain(problem)
  expect(status).toBe(code)
})
