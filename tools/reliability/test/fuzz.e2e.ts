import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'

const command = fileURLToPath(new URL('../dist/fuzz/command.js', import.meta.url))

test('2000 conversations with a program, a store and a log that fail find nothing', async () => {
  const { stdout } = await promisify(execFile)(process.execPath, [command, '--conversations', '2000', '--seed', '2026'])
  expect(stdout).toContain('2000 conversations, 50 brokers')
  expect(stdout).toContain('0 kinds of findings')
})
