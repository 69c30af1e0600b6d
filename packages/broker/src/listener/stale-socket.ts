import { once } from 'node:events'
import { lstat, unlink } from 'node:fs/promises'
import { connect } from 'node:net'

/** Removes the file of a Unix socket that a process left when it was killed: nobody would ever listen there again. One that
 * somebody listens on, and a file that is no socket, stay. */
export async function removeStaleSocket(path: string): Promise<void> {
  const file = await lstat(path).catch(() => undefined)
  if (file?.isSocket() !== true) return
  const socket = connect({ path })
  try {
    await once(socket, 'connect')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ECONNREFUSED') await unlink(path)
  } finally {
    socket.destroy()
  }
}
