import { connect } from 'node:net'
import { connectAsync } from 'mqtt'
import { expect, onTestFinished, test } from 'vitest'
import type { Logger } from '@x/contract'
import { createBroker } from '../src/index.ts'

function fail(): never {
  throw new Error('disk full')
}

const failing: Readonly<Record<string, Logger>> = {
  throws: { isLevelEnabled: fail, debug: fail, info: fail, warn: fail, error: fail },
  'throws nothing': Object.fromEntries(
    ['debug', 'info', 'warn', 'error'].map(level => [
      level,
      () => {
        // oxlint-disable-next-line only-throw-error -- that is what is tried
        throw undefined
      },
    ]),
  ) as unknown as Logger,
  rejects: Object.fromEntries(
    ['isLevelEnabled', 'debug', 'info', 'warn', 'error'].map(level => [
      level,
      () => Promise.reject(new Error('disk full')),
    ]),
  ) as unknown as Logger,
}

test.for(Object.entries(failing))('a logger that %s changes nothing', async ([, logger]) => {
  const fatal: unknown[] = []
  const onFatal = (reason: unknown): void => void fatal.push(reason)
  process.on('unhandledRejection', onFatal)
  const warned: string[] = []
  const onWarning = (warning: Error & { code?: string }): void => void warned.push(String(warning.code))
  process.on('warning', onWarning)
  onTestFinished(() => {
    process.off('unhandledRejection', onFatal)
    process.off('warning', onWarning)
  })
  const broker = createBroker({ logger })
  onTestFinished(() => broker.close())
  const { url, port = 0 } = await broker.listen({ port: 0, host: '127.0.0.1' })
  const client = await connectAsync(url, { clientId: 'c' })
  await client.subscribeAsync('#')
  const refused = connect(port, '127.0.0.1')
  refused.end(Buffer.from([0xc0, 0])) // PINGREQ before CONNECT
  await new Promise(resolve => {
    refused.once('close', resolve)
  })
  broker.reportError(new Error('nobody is to blame'))
  await client.publishAsync('t', 'x', { qos: 1 })
  await client.endAsync()
  await broker.close()
  await new Promise(setImmediate)
  expect(fatal).toEqual([])
  expect(warned).toEqual(['LOGGER_FAILED'])
})
