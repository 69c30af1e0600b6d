import { execFile } from 'node:child_process'
import { rmSync, writeFileSync } from 'node:fs'

/** Tells systemd how the service is, where it has asked for that (`Type=notify`); nothing elsewhere. Node can't send on such a socket
 * itself. */
export function tellSystemd(state: '--ready' | '--reloading' | '--stopping', failed: (error: Error) => void): void {
  if (process.env['NOTIFY_SOCKET'] === undefined) return
  execFile('systemd-notify', [state, `--pid=${process.pid}`], error => {
    if (error !== null) failed(error)
  })
}

/** Writes the number of this process to a file, which is gone when the process has ended in order.
 * @throws Error of Node */
export function writePidFile(file: string): void {
  writeFileSync(file, `${process.pid}\n`, { mode: 0o644 })
  process.once('exit', () => rmSync(file, { force: true }))
}
