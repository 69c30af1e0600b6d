import { existsSync, writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { join } from 'node:path'
import { expect, onTestFinished } from 'vitest'
import { temporaryFolder } from '../../../../tools/testing/temporary-folder.ts'
import { RunningBroker } from '../../src/command/running-broker.ts'
import { loadConfig } from '../../src/config/load-config.ts'
import { prepare } from '../../src/config/prepare.ts'
import type { Prepared } from '../../src/config/prepare.ts'
import { CollectingLogger } from '../collecting-logger.ts'
import { StartedProcess } from '../started-command.ts'

/** A broker that reads a configuration of Mosquitto's, and listens on Unix sockets: no two ask for the same port. */
export interface Beside {
  /** By the name that stands in the configuration as `listener NAME`. */
  socketOf(listener: string): string
  /** Takes other files in place of some, and reads all again. What they say is in force once the broker has next answered somebody. */
  reload(change: Files): Promise<void>
}

/** Files of a test, by name; `DIR/name` in one of them is the path of another one. */
export type Files = Readonly<Record<string, string>>

type Program = 'mosquitto' | 'x-broker'

class Directory {
  readonly path = temporaryFolder(0o755)

  constructor(program: Program) {
    this.#head = program === 'mosquitto' && process.getuid?.() === 0 ? 'user root\n' : ''
  }

  readonly #head: string

  write(files: Files): void {
    for (const [name, text] of Object.entries(files)) {
      const whole =
        name === 'm.conf' ? `${this.#head}log_dest none\nsys_interval 0\nmax_packet_size 2000000\n${text}` : text
      const placed = whole.replaceAll(/^listener (\w+)$/gm, 'listener 0 DIR/$1.sock').replaceAll('DIR', this.path)
      writeFileSync(join(this.path, name), placed)
    }
  }

  socketOf(listener: string): string {
    return join(this.path, `${listener}.sock`)
  }
}

/** A broker with these files; `m.conf` is its configuration. */
export async function startBeside(program: Program, files: Files): Promise<Beside> {
  const directory = new Directory(program)
  directory.write(files)
  const conf = join(directory.path, 'm.conf')
  const socketOf = (listener: string): string => directory.socketOf(listener)
  const listeners = [...(files['m.conf'] ?? '').matchAll(/^listener (\w+)$/gm)].map(([, name = '']) => name)
  if (program === 'mosquitto') {
    const mosquitto = new StartedProcess('mosquitto', ['-c', conf])
    onTestFinished(() => mosquitto.stop())
    for (const listener of listeners) await listening(mosquitto, socketOf(listener))
    return {
      socketOf,
      reload: change => {
        directory.write(change)
        mosquitto.signal('SIGHUP')
        return Promise.resolve()
      },
    }
  }
  const read = (): Prepared => prepare(loadConfig({ file: conf, flags: {}, environment: {} }).config)
  const prepared = read()
  const logger = new CollectingLogger()
  const running = new RunningBroker(prepared, {
    logger,
    control: {},
    shown: plugin => plugin,
    servesAdmin: true,
    plugins: [],
  })
  onTestFinished(() => running.broker.close())
  await running.open(prepared.listeners)
  return {
    socketOf,
    reload: async change => {
      directory.write(change)
      await running.reload(read())
    },
  }
}

async function listening(mosquitto: StartedProcess, socketPath: string): Promise<void> {
  const problem = mosquitto.exited.then(({ code }) => `mosquitto has ended with ${code}: ${mosquitto.stderr}`)
  const isThere = expect.poll(() => existsSync(socketPath) && canConnect(socketPath), { interval: 5 }).toBe(true)
  const ended = await Promise.race([isThere, problem])
  if (typeof ended === 'string') throw new Error(ended)
}

function canConnect(socketPath: string): Promise<boolean> {
  return new Promise(resolve => {
    const socket = connect(socketPath)
    socket.once('connect', () => resolve(true)).once('error', () => resolve(false))
    socket.once('connect', () => socket.destroy())
  })
}
