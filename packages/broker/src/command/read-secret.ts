import { createInterface } from 'node:readline'
import { Writable } from 'node:stream'

/** A password: typed twice at a terminal, which shows nothing of it, or the first line of a pipe.
 * @throws Error when the two differ */
export async function readSecret(): Promise<string> {
  const isTerminal = process.stdin.isTTY
  const silent = new Writable({ write: (_chunk, _encoding, done) => done() })
  const lines = createInterface({ input: process.stdin, output: silent, terminal: isTerminal })
  lines.on('SIGINT', () => process.exit(1))
  const iterator = lines[Symbol.asyncIterator]()
  const ask = async (prompt: string): Promise<string> => {
    if (isTerminal) process.stderr.write(prompt)
    const { value } = (await iterator.next()) as IteratorResult<string, undefined>
    if (isTerminal) process.stderr.write('\n')
    return value ?? ''
  }
  try {
    const secret = await ask('Password: ')
    if (isTerminal && (await ask('Again: ')) !== secret) {
      throw Object.assign(new Error('the two passwords differ'), { code: 'SECRET_DIFFERS' })
    }
    return secret
  } finally {
    lines.close()
  }
}
