// Which test proves which numbered statement of the MQTT standards. Tests carry the statements' tags beside their titles:
// tags: ['MQTT5-3.3.1-5'] for 5.0, 'MQTT3-3.3.1-5' for 3.1.1. Statements that no test can observe stand, with the reason, in
// conformance/exceptions.tsv.
//
//   node --import tsx tools/check-conformance.ts           fails on statements without a test, tags without a statement,
//                                                          and when packages/broker/CONFORMANCE.md is not up to date
//   node --import tsx tools/check-conformance.ts --write   writes packages/broker/CONFORMANCE.md
import { readFileSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))
const reportFile = 'packages/broker/CONFORMANCE.md'

interface Standard {
  readonly title: string
  readonly tag: 'MQTT5' | 'MQTT3'
  readonly file: string
}

interface Statement {
  /** As tests write it: `MQTT5-3.3.1-5`. */
  readonly tag: string
  readonly section: string
  readonly text: string
}

/** A tag beside the title of a test. */
interface Proof {
  readonly tag: string
  readonly title: string
  readonly file: string
}

const standards: readonly Standard[] = [
  { title: 'MQTT 5.0', tag: 'MQTT5', file: 'tools/conformance/mqtt-5.0-statements.tsv' },
  { title: 'MQTT 3.1.1', tag: 'MQTT3', file: 'tools/conformance/mqtt-3.1.1-statements.tsv' },
]

function read(file: string): string {
  return readFileSync(join(root, file), 'utf8')
}

function rows(file: string): string[][] {
  const lines = read(file).split('\n').slice(1)
  return lines.filter(line => line !== '' && !line.startsWith('#')).map(line => line.split('\t'))
}

/** The statements that bind a server. */
function statementsOf({ tag, file }: Standard): Statement[] {
  return rows(file)
    .filter(([, , applies]) => applies === 'server' || applies === 'both')
    .map(([id = '', section = '', , , text = '']) => ({ tag: id.replace('MQTT', tag), section, text }))
}

function testFiles(directory: string): string[] {
  const entries = readdirSync(join(root, directory), { recursive: true, withFileTypes: true })
  return entries
    .filter(entry => entry.isFile() && /\.(test|e2e)\.ts$|\.cases\.ts$/.test(entry.name))
    .map(entry => join(entry.parentPath, entry.name).slice(root.length))
    .filter(file => !file.includes('node_modules') && !file.includes('/dist/'))
    .toSorted()
}

/** Titles with the array of tags that follows them: in a test's options, in a row's property or in a tuple. */
function proofsIn(file: string): Proof[] {
  const proofs: Proof[] = []
  const titled =
    /(['"`])((?:(?!\1)[^\\]|\\.)*)\1,\s*(?:\{\s*)?(?:\.\.\.\w+,\s*)?(?:tags: )?\[((?:\s*'MQTT[35]-[\d.]+-\d+',?)+)\s*\]/g
  for (const [, , title = '', tags = ''] of read(file).matchAll(titled)) {
    for (const [tag] of tags.matchAll(/MQTT[35]-[\d.]+-\d+/g)) proofs.push({ tag, title, file })
  }
  return proofs
}

function escapeCell(text: string): string {
  return text.replaceAll('|', '\\|').replaceAll('`', "'")
}

const proofs = readdirSync(join(root, 'packages'))
  .flatMap(name => testFiles(join('packages', name)))
  .flatMap(file => proofsIn(file))
const exceptions = new Map(rows('tools/conformance/exceptions.tsv').map(([tag = '', reason = '']) => [tag, reason]))
const problems: string[] = []
const sections: string[] = []
const known = new Set<string>()

for (const standard of standards) {
  const statements = statementsOf(standard)
  let proved = 0
  const lines = statements.map(statement => {
    known.add(statement.tag)
    const own = proofs.filter(proof => proof.tag === statement.tag)
    const reason = exceptions.get(statement.tag)
    if (own.length > 0) proved += 1
    else if (reason === undefined) problems.push(`${statement.tag} has no test: ${statement.text}`)
    if (own.length > 0 && reason !== undefined)
      problems.push(`${statement.tag} has a test and is listed as an exception`)
    const tests = own.map(({ title }) => escapeCell(title)).join('<br>')
    const files = [...new Set(own.map(({ file }) => `[${file.split('/').at(-1)}](../../${file})`))].join('<br>')
    return `| ${statement.tag} | ${escapeCell(statement.text)} | ${tests || `*${reason ?? 'no test'}*`} | ${files} |`
  })
  sections.push(
    `## ${standard.title}\n`,
    `${proved} of ${statements.length} statements that bind a server have a test.\n`,
    '| statement | what it says | test | file |\n| --- | --- | --- | --- |',
    ...lines,
    '',
  )
}
for (const { tag, file } of proofs)
  if (!known.has(tag)) problems.push(`${file}: ${tag} is no statement that binds a server`)
for (const tag of exceptions.keys()) if (!known.has(tag)) problems.push(`exceptions.tsv: ${tag} is no such statement`)

const report = `# Conformance

Every numbered statement of the MQTT standards that binds a server, in our own words, and the tests that fail when it is
broken. Written by \`node --import tsx tools/check-conformance.ts --write\` from the tests' titles and tags.

${sections.join('\n')}`

if (process.argv.includes('--write')) writeFileSync(join(root, reportFile), report)
else if (report !== readOrEmpty(reportFile)) problems.push(`${reportFile} is not up to date: run this with --write`)

for (const problem of problems) console.error(`conformance: ${problem}`)
console.error(`conformance: ${known.size} statements, ${problems.length} problems`)
process.exitCode = problems.length === 0 ? 0 : 1

function readOrEmpty(file: string): string {
  try {
    return read(file)
  } catch {
    return ''
  }
}
