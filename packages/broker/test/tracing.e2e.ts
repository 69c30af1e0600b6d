import { fileURLToPath } from 'node:url'
import { connectAsync } from 'mqtt'
import { expect, onTestFinished, test } from 'vitest'
import { anyPort, listeningUrl, oneProcess, startCommand } from './started-command.ts'

const sdk = fileURLToPath(new URL('tracing-sdk.cjs', import.meta.url))

test('the command makes spans with the SDK that node has loaded before it', async () => {
  const command = startCommand([...anyPort], {
    ...oneProcess,
    NODE_OPTIONS: `--require ${sdk}`,
    X_BROKER_TRACING_RATIO: '1',
  })
  onTestFinished(async () => command.stop('SIGTERM'))
  const client = await connectAsync(await listeningUrl(command), { protocolVersion: 5 })
  onTestFinished(() => client.endAsync(true))
  await client.publishAsync('a', 'x', { qos: 1 })
  await command.line(/\{"span":"mqtt accept","parent":null\}/)
  const parent = 'b7ad6b7169203331'
  const traceparent = `00-0af7651916cd43dd8448eb211c80319c-${parent}-01`
  await client.publishAsync('a', 'x', { qos: 1, properties: { userProperties: { traceparent } } })
  await command.line(new RegExp(`{"span":"mqtt accept","parent":"${parent}"}`))
})

test('without @opentelemetry/api the command says what is missing', async () => {
  const hook = `export const resolve = (name, context, next) => {
    if (name === '@opentelemetry/api') throw new Error('no such package')
    return next(name, context)
  }`
  const register = `import { register } from 'node:module'; register(${JSON.stringify(asUrl(hook))})`
  const command = startCommand([...anyPort], {
    ...oneProcess,
    NODE_OPTIONS: `--import ${asUrl(register)}`,
    X_BROKER_TRACING_RATIO: '1',
  })
  const { code } = await command.exited
  expect(code).not.toBe(0)
  expect([...command.lines, command.stderr].join('\n')).toContain(
    "tracing needs @opentelemetry/api, which can't be loaded: no such package",
  )
})

function asUrl(text: string): string {
  return `data:text/javascript,${encodeURIComponent(text)}`
}
