import type { Socket } from 'node:net'
import { expect, test } from 'vitest'
import { connackFrame, connectFrame, openWebSocket, receive, serve } from './serve.ts'

const crowd = 32
const pingreq = Buffer.from([0xc0, 0])
/** PUBLISH of QoS 0 to `t`, 1 MiB after its length. */
const publish = Buffer.concat([Buffer.from([0x30, 0x80, 0x80, 0x40, 0, 1, 0x74]), Buffer.alloc(1_048_573)])

/** What one turn may bring, and two reads of 64 KiB by each WebSocket before it rests. */
const mostPerTurn = 4_194_304 + 65_536 + crowd * 2 * 65_536

test('many WebSockets that bring much at once are read in several turns, and all of it comes in', async () => {
  const { url, server, broker } = await serve()
  const sockets: Socket[] = []
  server.on('connection', socket => sockets.push(socket))
  const clients = await Promise.all(
    Array.from({ length: crowd }, async (_, index) => {
      const client = await openWebSocket(url)
      const accepted = receive(client, connackFrame.length)
      client.send(connectFrame(`c${index}`))
      await accepted
      return client
    }),
  )
  let [before, most] = [0, 0]
  const answered = clients.map(async client => receive(client, 2))
  for (const client of clients) {
    client.send(publish)
    client.send(pingreq)
  }
  let isOver = false
  const all = Promise.all(answered).finally(() => {
    isOver = true
  })
  while (!isOver) {
    const read = sockets.reduce((sum, { bytesRead }) => sum + bytesRead, 0)
    most = Math.max(most, read - before)
    before = read
    await new Promise(setImmediate)
  }
  expect(await all).toHaveLength(crowd)
  expect(broker.counters.publishesReceived).toBe(crowd)
  expect(most).toBeLessThanOrEqual(mostPerTurn)
})
