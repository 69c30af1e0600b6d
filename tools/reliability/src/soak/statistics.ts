import { connect, subscribe } from '../wire/bytes.ts'
import { FrameCutter, packetType } from '../wire/frames.ts'
import { MqttStream } from './transport.ts'
import type { Ways } from './transport.ts'

const prefix = '$SYS/broker/'

/** What the broker has published about itself: its retained messages under `$SYS/broker/`. */
export async function statisticsOf(ways: Ways): Promise<ReadonlyMap<string, string>> {
  const values = new Map<string, string>()
  const stream = new MqttStream('tcp', ways)
  const cutter = new FrameCutter()
  stream.write(connect({ version: 4, clientId: 'statistician' }))
  stream.write(subscribe({ version: 4, id: 1, filters: [`${prefix}#`], options: 0 }))
  await new Promise<void>((resolve, reject) => {
    stream.once('error', reject)
    stream.on('data', (chunk: Buffer) => {
      cutter.push(chunk, ({ type, flags, body }) => {
        // Retained: what comes afterwards counts this client, too.
        if (type !== packetType.publish || (flags & 1) === 0) return
        const end = 2 + body.readUInt16BE(0)
        values.set(body.toString('utf8', 2 + prefix.length, end), body.toString('utf8', end))
      })
      if (values.has('publish/messages/sent') && values.has('clients/total')) setTimeout(resolve, 200)
    })
  })
  stream.destroy()
  return values
}
