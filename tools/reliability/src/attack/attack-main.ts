/** The attacker's process: runs one row, tells what it saw, and holds its connections until it is told to leave. */
import { Attacker } from './attacker.ts'
import { rowNamed } from './rows.ts'

/** ms; a row that is not through by then has done what it could. */
const attackTime = 20_000

const [name = '', port, websocketPort] = process.argv.slice(2)
const attacker = new Attacker({ port: Number(port), websocketPort: Number(websocketPort) }, attackTime)
// The parent's channel keeps this process until it is told to leave.
process.once('message', () => {
  attacker.close()
  process.disconnect()
})
try {
  await rowNamed(name).attack(attacker)
  process.send?.({ kind: 'attacked', reported: attacker.reported, isOver: attacker.isOver })
} catch (error) {
  process.send?.({ kind: 'failed', reason: error instanceof Error ? (error.stack ?? error.message) : String(error) })
}
