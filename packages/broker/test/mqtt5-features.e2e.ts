import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { StartedProcess, packageFolder } from './started-command.ts'

interface Example {
  readonly feature: string
  readonly program: string
  /** What stands behind the arrows. */
  readonly output: readonly string[]
}

const text = readFileSync(join(packageFolder, 'MQTT5.md'), 'utf8')
const sections = text.split(/^## /m).slice(1)
const examples = sections.map((section): Example => {
  const [feature = ''] = section.split('\n', 1)
  const [, program = ''] = /^```js\n(.*?)^```$/ms.exec(section) ?? []
  return { feature, program, output: [...program.matchAll(/\/\/ → (.*)$/gm)].map(([, line = '']) => line) }
})

/** As a link to a heading has it. */
function anchorOf(feature: string): string {
  return feature.toLowerCase().replaceAll(' ', '-')
}

// Each starts a Node.js process, which takes its time on a busy machine.
describe.concurrent('the example of MQTT5.md', () => {
  test.for(examples)('$feature prints what it says, and its process ends', async (given, { onTestFinished }) => {
    const { program, output } = given
    const example = new StartedProcess(process.execPath, ['--input-type=module', '--eval', program])
    onTestFinished(() => example.stop())
    const { code } = await example.exited
    expect({ code, stderr: example.stderr }).toEqual({ code: 0, stderr: '' })
    expect(example.lines.map(line => line.trimEnd())).toEqual(output)
    expect(output).not.toEqual([])
  })
})

test('MQTT5.md has one example in each section, and a link to each section', () => {
  expect(text.match(/^```js$/gm)).toHaveLength(sections.length)
  const links = [...text.matchAll(/\]\(#(.*?)\)/g)].map(([, anchor]) => anchor)
  expect(new Set(links)).toEqual(new Set(examples.map(({ feature }) => anchorOf(feature))))
})
