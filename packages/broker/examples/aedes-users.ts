// Who may come, and what they may do: the hooks of Aedes, one of each kind. PORT: where to listen.
import { createServer } from 'node:net'
import { Server } from '@x/broker'

const broker = new Server({
  authenticate(_client, username, password, done) {
    if (username === 'ann' && password?.toString() === 'secret') return done(null, true)
    done(Object.assign(new Error('bad user name or password'), { returnCode: 4 }), false)
  },
  authorizePublish(client, packet, done) {
    if (packet.topic === 'forbidden') return done(new Error('wrong topic'))
    if (client) packet.payload = Buffer.from(`${packet.payload.toString()} (${client.id})`)
    done(null)
  },
  authorizeSubscribe: async (_client, subscription) =>
    subscription.topic.startsWith('private/') ? null : subscription,
})

createServer(broker.handle).listen(Number(process.env['PORT'] ?? 1883), () => console.log('listening'))
