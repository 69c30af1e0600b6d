import { expect, test } from 'vitest'
import { StartedProcess } from './started-command.ts'

test('require gives the function, with every name as a property', async () => {
  const script = `
    const aedes = require('@x/broker')
    const { createBroker, Server, Aedes, BrokerError } = aedes
    const made = [aedes({ id: 'b' }), createBroker({ id: 'b' }), new Server({ id: 'b' }), new Aedes({ id: 'b' })]
    try { aedes({ concurrency: 0 }) } catch (error) { console.log(error instanceof BrokerError, error.code) }
    Aedes.createBroker({ id: 'b' }).then(async broker => {
      for (const each of [...made, broker]) {
        console.log(each.id, typeof each.handle, each instanceof aedes.Broker)
        await each.close()
      }
      console.log(aedes.default === aedes)
    })
  `
  const run = new StartedProcess(process.execPath, ['--input-type=commonjs', '-e', script])
  expect(await run.exited).toEqual({ code: 0, signal: null })
  expect(run.stderr).toBe('')
  expect(run.lines).toEqual(['true OPTION_INVALID', ...Array(5).fill('b function true'), 'true'])
})

test('whatever can be imported is a property of what is required', async () => {
  const script = `
    const required = require('@x/broker')
    import('@x/broker').then(imported => {
      for (const name of Object.keys(imported)) console.log(name, name in required)
    })
  `
  const run = new StartedProcess(process.execPath, ['--input-type=commonjs', '-e', script])
  await run.exited
  expect(run.lines).toContain('Aedes true')
  expect(run.lines.filter(line => line.endsWith('false'))).toEqual([])
})
