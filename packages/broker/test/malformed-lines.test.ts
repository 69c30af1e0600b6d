import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { temporaryFolder } from '../../../tools/testing/temporary-folder.ts'
import { ConfigProblem } from '../src/config/config-problem.ts'
import { readMosquittoFile } from '../src/config/mosquitto/convert.ts'
import { directives } from '../src/config/mosquitto/directives.ts'
import type { Directive } from '../src/config/mosquitto/directives.ts'

/** All that is wrong with a file of Mosquitto's, without its folder. */
function problemsOf(text: string | Buffer): readonly string[] {
  const directory = temporaryFolder()
  const file = join(directory, 'm.conf')
  writeFileSync(file, text)
  try {
    readMosquittoFile(file)
    return []
  } catch (error) {
    if (!(error instanceof ConfigProblem)) throw error
    return error.problems.map(problem => problem.replaceAll(`${directory}/`, ''))
  }
}

/** What opens the section that a directive belongs to: two lines. */
const sections: Readonly<Record<Directive['scope'], string>> = {
  global: '# one\n# two\n',
  listener: '# one\nlistener 1\n',
  bridge: '# one\nconnection b\n',
  plugin: '# one\nplugin mosquitto_acl_file.so\n',
}

/** Every directive under the names that a file may have; families of options with a member. */
const all = Object.entries(directives).map(([name, directive]) => [name.replace('*', 'abc'), directive] as const)

test('all 141 directives of Mosquitto 2.1 are known', () => {
  expect(all).toHaveLength(141)
})

function wrongWords({ value }: Directive): readonly string[] {
  switch (value.kind) {
    case 'flag':
      return ['yes', 'TRUE', '2', 'true\t']
    case 'whole':
      return ['x', '1x', '08', '1.5', '--1', String(value.least - 1), String(value.greatest + 1), '99999999999']
    case 'word':
      return ['nonsense', value.words[0]?.toUpperCase() ?? '']
    default:
      return []
  }
}

test.for(all)('%s: a missing value, and each wrong one, is told with its line', ([name, directive]) => {
  const section = sections[directive.scope]
  const wrong = ['', '   ', ...wrongWords(directive).filter(word => word !== '')]
  for (const word of wrong) {
    const problems = problemsOf(`${section}${name} ${word}`)
    expect(
      problems.find(problem => problem.startsWith(`m.conf:3: ${name} `)),
      `${name} ${word}`,
    ).toBeDefined()
  }
})

test.for(all.filter(([name, { value }]) => value.kind === 'text' && name !== 'include_dir'))(
  '%s: a text that is too long, or no UTF-8, is told with its line',
  ([name, { scope }]) => {
    const line = `${sections[scope]}${name} `
    expect(problemsOf(`${line}${'x'.repeat(65_536)}`)).toContain(`m.conf:3: ${name} has more than 65535 bytes`)
    const latin = Buffer.concat([Buffer.from(`${line}caf`), Buffer.from([0xe9]), Buffer.from('\n')])
    expect(problemsOf(latin)).toContain(`m.conf:3: ${name} is no UTF-8`)
  },
)

/** Those that begin a section may stand anywhere. */
const beginning: ReadonlySet<string> = new Set(['connection'])

/** A value that each kind takes. */
function rightWord({ value }: Directive): string {
  switch (value.kind) {
    case 'flag':
      return 'true'
    case 'whole':
      return String(Math.max(value.least, 1))
    case 'word':
      return value.words[0] ?? ''
    default:
      return 'x'
  }
}

test.for(
  all.filter(
    ([name, { scope, needsListener }]) =>
      !beginning.has(name) && (needsListener === true || scope === 'bridge' || scope === 'plugin'),
  ),
)('%s: outside of its section it is told with its line', ([name, directive]) => {
  const section = directive.scope === 'bridge' ? 'connection' : directive.scope
  const refusal = directive.refused?.(rightWord(directive))
  const problems = problemsOf(`\n${name} ${rightWord(directive)}`)
  const sentence = new RegExp(`^m\\.conf:2: ${name} (needs a ${section} before it|.*)$`)
  expect(problems).toEqual([expect.stringMatching(sentence)])
  if (refusal === undefined) expect(problems[0]).toContain(`needs a ${section} before it`)
})

test.for<[section: keyof typeof sections, line: string]>([
  ['global', 'listener'],
  ['global', 'listener 65536'],
  ['global', 'listener 0'],
  ['global', 'listener x y'],
  ['global', 'log_dest file'],
  ['global', 'log_dest nowhere'],
  ['global', 'persistent_client_expiration 5'],
  ['global', 'persistent_client_expiration d'],
  ['global', 'persistent_client_expiration 0d'],
  ['global', 'persistent_client_expiration -1d'],
  ['global', 'include_dir /nowhere'],
  ['global', 'plugin /usr/lib/other.so'],
  ['global', `auto_id_prefix ${'x'.repeat(51)}`],
  ['listener', `listener_auto_id_prefix ${'x'.repeat(51)}`],
  ['listener', 'mount_point a/+'],
  ['listener', 'mount_point a/#'],
  ['listener', 'accept_protocol_versions 6'],
  ['listener', 'certfile c'],
  ['listener', 'keyfile k'],
  ['listener', 'cafile a'],
  ['listener', 'psk_hint h'],
  ['bridge', 'address h:0'],
  ['bridge', 'address h:65536'],
  ['bridge', 'address h:x'],
  ['bridge', 'topic # sideways'],
  ['bridge', 'topic # out 3'],
  ['bridge', 'topic # out x'],
  ['bridge', 'topic a/#/b'],
  ['bridge', 'topic # out 0 l/+ r/'],
  ['bridge', 'topic "" out 0 l ""'],
  ['bridge', 'restart_timeout x'],
  ['bridge', 'restart_timeout 20 10'],
  ['bridge', 'bridge_protocol_version mqttv6'],
  ['bridge', 'bridge_protocol_version mqttv311 # words'],
  ['bridge', 'bridge_identity i'],
  ['bridge', 'bridge_psk c0ffee'],
  ['bridge', 'bridge_psk xyz'],
  ['bridge', 'bridge_certfile c'],
  ['bridge', 'bridge_tcp_keepalive 1 2'],
  ['bridge', 'keepalive_interval 65536'],
])('in the section of a %s, %s is told with its line, or that of the section', ([section, line]) => {
  const problems = problemsOf(`${sections[section]}${line}\n`)
  expect(problems).not.toEqual([])
  const places = problems.map(problem => /^m\.conf:(\d): ./.exec(problem)?.[1])
  expect(places.every(place => place === '2' || place === '3')).toBe(true)
  if (section === 'global') expect(places).toContain('3')
})

test('lines that are none are told each, all at once', () => {
  const lines = ['nonsense', ' # text', '\t', 'port\t1', 'Port 1', '__proto__ x', 'constructor x', 'plugin_opt_*  x']
  const problems = problemsOf(lines.join('\n'))
  expect(problems.map(problem => /^m\.conf:(\d+): /.exec(problem)?.[1])).toEqual(
    lines.map((_line, index) => `${index + 1}`),
  )
})
