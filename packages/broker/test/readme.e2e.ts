import { describe, expect, onTestFinished, test } from 'vitest'
import { clientEvent } from './client-event.ts'
import { connectWhenListening } from './connect-when-listening.ts'
import { blocksOf, readmeFiles, repositoryFile } from './readme-blocks.ts'
import { StartedProcess, listeningUrl, startCommand } from './started-command.ts'
import { freePort } from '../../../tools/testing/free-port.ts'

const blocks = readmeFiles.flatMap(file => blocksOf(file))
const programs = blocks.filter(({ language }) => language === 'js')
const commands = blocks
  .filter(({ language }) => language === 'sh')
  .flatMap(({ file, text }) =>
    text
      .trim()
      .split('\n')
      .map(line => ({ file, line: line.replace(/ *#.*/, '') })),
  )

function scriptNamed(name: string): string | undefined {
  const { scripts } = JSON.parse(repositoryFile('package.json')) as { scripts: Record<string, string> }
  return scripts[name]
}

test('every fenced block is a program or commands', () => {
  expect(new Set(blocks.map(({ language }) => language))).toEqual(new Set(['js', 'sh']))
})

describe.each(programs)('the program in $file: $text', ({ text }) => {
  test('is a broker, and warns of nothing', async () => {
    const port = await freePort()
    const form = text.includes('require(') ? 'commonjs' : 'module'
    const program = new StartedProcess(process.execPath, [
      `--input-type=${form}`,
      '-e',
      text.replaceAll('1883', `${port}`),
    ])
    onTestFinished(() => program.stop())
    const client = await Promise.race([
      connectWhenListening(`mqtt://127.0.0.1:${port}`, { clientId: 'reader', username: 'alice', password: 'secret' }),
      program.exited.then(() => Promise.reject(new Error(program.stderr))),
    ])
    await client.subscribeAsync('example')
    const received = clientEvent(client, 'message')
    await client.publishAsync('example', 'as printed', { qos: 1 })
    expect(String((await received)[1])).toBe('as printed')
    if (text.includes("on('publish'")) await program.line(/^reader: example = as printed$/)
    if (text.includes('listening on')) await program.line(/^listening on mqtt:/)
    await client.endAsync()
    expect(program.stderr).toBe('')
  })
})

test.each(commands)('$file: $line', async ({ line }) => {
  const [program, verb = '', ...rest] = line.split(' ')
  if (program === 'npx') {
    const { bin } = JSON.parse(repositoryFile('packages/broker/package.json')) as { bin: Record<string, string> }
    expect(bin).toEqual({ [verb]: './dist/command.js' })
    const command = startCommand(rest.map(parameter => (parameter === '1883' ? '0' : parameter)))
    onTestFinished(() => command.stop('SIGTERM'))
    expect(await listeningUrl(command)).toMatch(/^mqtt:\/\/127\.0\.0\.1:\d+$/)
    return
  }
  expect(program).toBe('npm')
  if (verb === 'install') expect(rest).toEqual(['@x/broker'])
  else expect(scriptNamed(verb === 'run' ? (rest[0] ?? '') : verb)).toBeDefined()
})

test('npm start runs the command', () => {
  expect(scriptNamed('start')).toBe('node tools/run.mjs packages/broker/dist/command.js')
})
