import { connect, publish } from '../../wire/bytes.ts'
import { megabyte } from '../row.ts'
import type { Row } from '../row.ts'

export const logRows: readonly Row[] = [
  {
    name: 'log-refused-publish',
    input: '1000 refused PUBLISHes of 11 bytes by a client with an identifier of 60 000 bytes',
    broker: 'command',
    async attack(attacker) {
      const clientId = 'i'.repeat(60_000)
      const refused = publish({ version: 5, topic: '$SYS/a', qos: 1, id: 1 })
      const peer = await attacker.client({ version: 5, clientId })
      await attacker.flood(peer, refused, 1000 * refused.length)
    },
    also: { name: 'log', unit: 'bytes', most: megabyte, seenBy: 'log' },
  },
  {
    name: 'log-refused-connect',
    input: '5000 CONNECTs that are refused',
    broker: 'command',
    async attack(attacker) {
      const refused = connect({ version: 4, clientId: '', cleanStart: false })
      for (let count = 0; count < 5000 && !attacker.isOver; count += 100) {
        await Promise.all(
          Array.from({ length: 100 }, async () => {
            const peer = await attacker.open()
            await peer.write(refused)
            await peer.until(() => peer.closed)
          }),
        )
      }
    },
    also: { name: 'log', unit: 'bytes', most: 2 * megabyte, seenBy: 'log' },
  },
]
