import { writeFileSync } from 'node:fs'
import { configTemplate } from '../config/template.ts'
import { print } from './print.ts'

const usage = `x-broker init: begins a configuration

  x-broker init [FILE]     writes x-broker.yaml, or FILE, with every key and what it means; one that is there stays as it is
`

const defaultFile = 'x-broker.yaml'

/** `x-broker init …`; returns its exit code: 0, or 1 when the file can't be written or is there. */
export function init(parameters: readonly string[]): number {
  const [file = defaultFile, ...others] = parameters
  if (file === '--help' || file === '-h') {
    print(process.stdout, usage)
    return 0
  }
  if (others.length > 0 || file.startsWith('-') || !/\.ya?ml$/.test(file)) {
    print(process.stderr, `x-broker init: it takes one file, whose name ends in .yaml; try x-broker init --help\n`)
    return 1
  }
  try {
    writeFileSync(file, configTemplate(), { flag: 'wx', mode: 0o640 })
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException
    print(process.stderr, `x-broker init: ${code === 'EEXIST' ? `${file} is there, and stays as it is` : message}\n`)
    return 1
  }
  print(process.stdout, `${file} is written: x-broker --config ${file}\n`)
  return 0
}
