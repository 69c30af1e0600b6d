import { execFileSync } from 'node:child_process'

/** Gives up the rights of root for those of an account; nothing for who is not root, or wants to stay so.
 * @throws Error with what is wrong */
export function becomeUser(name: string): void {
  if (process.getuid?.() !== 0 || name === 'root') return
  const [user, group] = ['-u', '-g'].map(option => idOf(option, name))
  if (user === undefined || group === undefined) throw new Error(`user is '${name}', there is no such account`)
  // Node has it, its types do not.
  ;(process as { initgroups?: (name: string, group: number) => void }).initgroups?.(name, group)
  process.setgid?.(group)
  process.setuid?.(user)
}

function idOf(option: string, name: string): number | undefined {
  try {
    return Number(execFileSync('id', [option, '--', name], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }))
  } catch {
    return undefined
  }
}
