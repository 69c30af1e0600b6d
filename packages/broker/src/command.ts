#!/usr/bin/env node
// What a word needs is loaded when the word is there: help comes three times as fast without a broker.
import { readFileSync } from 'node:fs'
import { parseCommandLine } from './command/command-line.ts'
import { dataUsage } from './command/data-command-line.ts'
import { print } from './command/print.ts'
import { usage } from './command/usage.ts'

const command = commandOf(process.argv.slice(2))
switch (command.kind) {
  case 'passwd':
    process.exitCode = await (await import('./command/passwd.ts')).passwd(command.words)
    break
  case 'tool':
    process.exitCode = await (await import('./client-tools/client-tool.ts')).runClientTool(command.tool, command.words)
    break
  case 'access':
    process.exitCode = (await import('./command/access-command.ts')).access(command.words)
    break
  case 'init':
    process.exitCode = (await import('./command/init.ts')).init(command.words)
    break
  case 'redis':
    process.exitCode = await (await import('./command/redis-command.ts')).runRedisCommand(command.words)
    break
  case 'help':
    print(process.stdout, usage)
    break
  case 'version':
    print(process.stdout, `${readVersion()}\n`)
    break
  case 'refuse':
    print(process.stderr, `x-broker: ${command.message}\nTry x-broker --help.\n`)
    // With a file of Mosquitto's the codes are Mosquitto's.
    process.exitCode = process.argv.some(one => one.endsWith('.conf')) ? 3 : 2
    break
  case 'dataHelp':
    print(process.stdout, dataUsage)
    break
  case 'data':
    process.exitCode = await (await import('./command/data-command.ts')).runDataTask(command.task)
    break
  case 'run': {
    const { tasks } = await import('./command/tasks.ts')
    await tasks[command.task](command)
    break
  }
}

function commandOf([word, ...words]: readonly string[]) {
  switch (word) {
    case 'passwd':
    case 'access':
    case 'init':
    case 'redis':
      return { kind: word, words } as const
    case 'pub':
    case 'sub':
    case 'rr':
    case 'top':
    case 'bench':
      return { kind: 'tool', tool: word, words } as const
    case undefined:
      return parseCommandLine([])
    default:
      return parseCommandLine([word, ...words])
  }
}

function readVersion(): string {
  const manifest: unknown = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8'))
  return typeof manifest === 'object' && manifest !== null && 'version' in manifest
    ? String(manifest.version)
    : 'unknown'
}
