import { spawn } from 'node:child_process'
import type { ChildProcessWithoutNullStreams } from 'node:child_process'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'

/** The package's folder; a process started in it resolves `@x/broker` to the built package. */
export const packageFolder: string = fileURLToPath(new URL('..', import.meta.url))
export const commandFile: string = fileURLToPath(new URL('../dist/command.js', import.meta.url))

/** Any free port of this machine alone. */
export const anyPort: readonly string[] = ['--port', '0', '--host', '127.0.0.1']

export interface Exit {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
}

/** A process whose output can be waited for, line by line. */
export class StartedProcess {
  readonly lines: string[] = []
  /** After the last line of output. */
  readonly exited: Promise<Exit>
  stderr = ''
  readonly #child: ChildProcessWithoutNullStreams
  #exit: Exit | undefined
  /** Called when there is a new line, or no more will come. */
  readonly #waiting = new Set<() => void>()

  constructor(file: string, parameters: readonly string[], environment: Readonly<Record<string, string>> = {}) {
    this.#child = spawn(file, parameters, { cwd: packageFolder, env: { ...process.env, ...environment } })
    createInterface(this.#child.stdout).on('line', line => {
      this.lines.push(line)
      this.#look()
    })
    this.#child.stderr.setEncoding('utf8').on('data', (text: string) => {
      this.stderr += text
    })
    // A process that has gone takes no input; that it has gone is seen by its exit.
    this.#child.stdin.on('error', () => undefined)
    this.exited = new Promise((resolve, reject) => {
      this.#child.once('error', reject)
      this.#child.once('close', (code, signal) => {
        this.#exit = { code, signal }
        this.#look()
        resolve(this.#exit)
      })
    })
    this.exited.catch(() => undefined)
  }

  /** The first line, past or future, that matches. Rejects when the process ends without it. */
  line(pattern: RegExp): Promise<string> {
    return this.#until(() => this.lines.find(line => pattern.test(line)), String(pattern))
  }

  /** The line with this number, from 0, likewise. */
  lineAt(index: number): Promise<string> {
    return this.#until(() => this.lines[index], `line ${index}`)
  }

  get pid(): number | undefined {
    return this.#child.pid
  }

  write(text: string): void {
    this.#child.stdin.write(text)
  }

  signal(name: NodeJS.Signals): void {
    this.#child.kill(name)
  }

  /** Ends it, if it hasn't ended, and waits for that. */
  async stop(name: NodeJS.Signals = 'SIGKILL'): Promise<void> {
    this.#child.kill(name)
    // mosquitto_sub can hang when the signal comes while it prints.
    const insist = setTimeout(() => this.#child.kill('SIGKILL'), 15_000)
    await this.exited.catch(() => undefined)
    clearTimeout(insist)
  }

  #until(find: () => string | undefined, wanted: string): Promise<string> {
    return new Promise((resolve, reject) => {
      const look = (): void => {
        const found = find()
        if (found === undefined && this.#exit === undefined) return
        this.#waiting.delete(look)
        if (found === undefined) reject(new Error(`ended without ${wanted}: ${this.stderr}`))
        else resolve(found)
      }
      this.#waiting.add(look)
      // It couldn't be started at all.
      this.exited.catch(reject)
      look()
    })
  }

  #look(): void {
    for (const look of this.#waiting) look()
  }
}

const stores: ReadonlySet<string> = new Set(['--data', '--memory', '--redis', 'data'])

/** The environment of a command that a test starts as one process, also where all others have workers (`npm run test:workers`): of what
 * the test is about, several have more, or it is refused with them. */
export const oneProcess: Readonly<Record<string, string>> = { X_BROKER_WORKERS: '1' }

/** The command of this package. It keeps nothing unless its parameters say where: tests share no directory. */
export function startCommand(
  parameters: readonly string[] = anyPort,
  environment: Readonly<Record<string, string>> = {},
): StartedProcess {
  const isPlaced = parameters.some(parameter => stores.has(parameter))
  return new StartedProcess(
    process.execPath,
    [commandFile, ...parameters, ...(isPlaced ? [] : ['--memory'])],
    environment,
  )
}

/** The command without a word on where it keeps its state, for a user who has this directory for that. */
export function startCommandOf(
  stateHome: string,
  parameters: readonly string[] = anyPort,
  environment: Readonly<Record<string, string>> = {},
): StartedProcess {
  return new StartedProcess(process.execPath, [commandFile, ...parameters], {
    ...environment,
    XDG_STATE_HOME: stateHome,
  })
}

/** Where the command listens, from its log in JSON. */
export async function listeningUrl(command: StartedProcess): Promise<string> {
  const { url } = JSON.parse(await command.line(/"url":/)) as { url: string }
  return url
}

export function portOf(url: string): number {
  return Number(new URL(url).port)
}
