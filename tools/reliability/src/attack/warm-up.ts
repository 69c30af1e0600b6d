import { publish, subscribe } from '../wire/bytes.ts'
import { packetType } from '../wire/frames.ts'
import { Peer } from './peer.ts'
import type { Ports } from './peer.ts'

/** As many messages as a small program sees in a minute, so that the broker's code is compiled and its heap has the size it works with. */
export async function warmUp({ tcp }: Ports): Promise<void> {
  const peer = await Peer.open(tcp)
  await peer.connect({ version: 4, clientId: 'warm-up' })
  await peer.write(subscribe({ version: 4, id: 1, filters: ['warm/+'] }))
  const burst = Buffer.concat(
    Array.from({ length: 100 }, (_, index) =>
      publish({ version: 4, topic: `warm/${index}`, payload: Buffer.alloc(64), qos: index % 2, id: index + 1 }),
    ),
  )
  for (let round = 1; round <= 200; round++) {
    const before = peer.count(packetType.publish)
    await peer.write(burst)
    await peer.until(() => peer.count(packetType.publish) >= before + 50)
  }
  peer.destroy()
}
