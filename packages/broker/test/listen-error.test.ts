import { expect, test } from 'vitest'
import { ListenError, createBroker } from '../src/index.ts'
import { listenError } from '../src/listener/listen-error.ts'
import { checkEngine } from '../src/listener/tls-options.ts'

test.for([
  ['EADDRINUSE', '127.0.0.1', 'ADDRESS_IN_USE', '127.0.0.1:1883 is in use by another program'],
  ['EADDRINUSE', undefined, 'ADDRESS_IN_USE', 'port 1883 is in use by another program'],
  ['EADDRINUSE', '::1', 'ADDRESS_IN_USE', '[::1]:1883 is in use by another program'],
  ['EADDRNOTAVAIL', '192.0.2.1', 'ADDRESS_NOT_AVAILABLE', '192.0.2.1 is no address of this machine'],
  ['ENOTFOUND', 'broker.invalid', 'ADDRESS_NOT_AVAILABLE', 'broker.invalid is no address of this machine'],
  ['EACCES', '0.0.0.0', 'PERMISSION_DENIED', '0.0.0.0:1883 may not be listened on by this user'],
  ['EINVAL', '0.0.0.0', 'LISTEN_FAILED', '0.0.0.0:1883: listen EINVAL'],
] as const)('names %s on %s: %s', ([systemCode, host, code, message]) => {
  const cause = Object.assign(new Error(`listen ${systemCode}`), { code: systemCode })
  const error = listenError(cause, { host, port: 1883 })
  expect(error).toBeInstanceOf(ListenError)
  expect(error).toMatchObject({ name: 'ListenError', code, message, cause })
})

test('listen rejects with ADDRESS_IN_USE when another broker has the port', async () => {
  const [first, second] = [createBroker(), createBroker()]
  try {
    const { port } = await first.listen({ port: 0, host: '127.0.0.1' })
    await expect(second.listen({ port: port ?? 0, host: '127.0.0.1' })).rejects.toMatchObject({
      code: 'ADDRESS_IN_USE',
      message: `127.0.0.1:${port} is in use by another program`,
    })
  } finally {
    await Promise.all([first.close(), second.close()])
  }
})

test('listen rejects with ADDRESS_NOT_AVAILABLE for an address of another machine', async () => {
  const broker = createBroker()
  // 192.0.2.0/24 is set apart for documentation; nobody has it.
  await expect(broker.listen({ port: 0, host: '192.0.2.1' })).rejects.toMatchObject({ code: 'ADDRESS_NOT_AVAILABLE' })
  await broker.close()
})

test.each([-1, 65_536, 1.5, Number.NaN])('listen rejects port %d with OPTION_INVALID', async port => {
  const broker = createBroker()
  await expect(broker.listen({ port })).rejects.toMatchObject({
    code: 'OPTION_INVALID',
    message: `option port is ${port}, it must be a whole number from 0 to 65535`,
  })
  await broker.close()
})

test('pre-shared keys on an engine that accepts none are refused at start', () => {
  const tls = { pskCallback: () => null }
  for (const name of ['bun', 'deno']) {
    const versions = { ...process.versions, [name]: '9.9.9' }
    expect(() => checkEngine(tls, versions)).toThrow(
      expect.objectContaining({
        code: 'LISTEN_FAILED',
        message: expect.stringContaining(`${name} 9.9.9 accepts no client`),
      }),
    )
    expect(() => checkEngine({}, versions)).not.toThrow()
  }
  expect(() => checkEngine(tls)).not.toThrow()
})
