import { readFileSync } from 'node:fs'
import { expect, onTestFinished, test, vi } from 'vitest'
import { tracingOptions } from '../src/index.ts'
import { carrying, client, publisherSpan } from './traced-broker.ts'

const fileText = (name: string): string => readFileSync(new URL(`../${name}`, import.meta.url), 'utf8')

/** The first column of the table with this first heading. */
function firstColumn(heading: string): readonly string[] {
  const [, rows = ''] =
    new RegExp(`\\n\\| ${heading} +\\|[^\\n]*\\n\\| -[^\\n]*\\n([^]*?)\\n\\n`).exec(fileText('README.md')) ?? []
  return rows.split('\n').map(row => /`(\w+)`/.exec(row)?.[1] ?? '')
}

test('the example writes a span for a message with a traceparent', async () => {
  const written = vi.spyOn(console, 'dir').mockReturnValue()
  onTestFinished(() => written.mockRestore())
  const { broker, port } = await import('./readme-example.ts')
  onTestFinished(() => broker.close())
  const { mqtt } = await client(`mqtt://127.0.0.1:${port}`)
  await mqtt.publishAsync('a', 'x', { qos: 1, properties: carrying(publisherSpan) ?? {} })
  const accept = { name: 'mqtt accept', traceId: publisherSpan.traceId }
  await expect
    .poll(() => written.mock.calls.map(([span]) => span as object))
    .toContainEqual(expect.objectContaining(accept))
})

test('the example of the README is the one that runs', () => {
  const example = fileText('test/readme-example.ts')
    .replace('port: 0', 'port: 1883')
    .replace('\nexport { broker, port }\n', '')
  expect(fileText('README.md')).toContain(`\`\`\`ts\n${example}\`\`\`\n`)
})

test('the README lists exactly the options and codes that there are', () => {
  const [, codes = ''] = /type TracingErrorCode =([^\n]*)/.exec(fileText('src/tracing-error.ts')) ?? []
  expect(firstColumn('code')).toEqual([...codes.matchAll(/'(\w+)'/g)].map(([, code]) => code))
  expect(firstColumn('name')).toEqual(Object.keys(tracingOptions))
})
