/** The attacker's process: runs one row, tells what it saw, and holds its connections until it is told to leave. */
import { once } from 'node:events'
import { Attacker } from './attacker.ts'
import type { Ports } from './peer.ts'
import { rowNamed } from './rows.ts'

/** ms; a row that is not through by then has done what it could. */
const attackTime = 20_000

const [name = '', ports = '{}'] = process.argv.slice(2)
const row = rowNamed(name)
const attacker = new Attacker(JSON.parse(ports) as Ports, attackTime)
// The parent's channel keeps this process until it is told to leave.
process.on('message', message => {
  if (message !== 'leave') return
  attacker.close()
  process.disconnect()
})
try {
  const crowd = (await row.gather?.(attacker)) ?? []
  const told = once(process, 'message')
  process.send?.({ kind: 'gathered' })
  await told
  attacker.begin(attackTime)
  await row.attack(attacker, crowd)
  process.send?.({ kind: 'attacked', reported: attacker.reported, isOver: attacker.isOver })
} catch (error) {
  process.send?.({ kind: 'failed', reason: error instanceof Error ? (error.stack ?? error.message) : String(error) })
}
