import { once } from 'node:events'
import { connect } from 'node:net'
import type { Socket } from 'node:net'
import { expect, onTestFinished, test } from 'vitest'
import { anyPort, listeningUrl, oneProcess, portOf, startCommand } from './started-command.ts'

const pingreq = Buffer.from([0xc0, 0])
const pingresp = Buffer.from([0xd0, 0])
const connack = Buffer.from([0x20, 2, 0, 0])

/** CONNECT, MQTT 3.1.1, clean session, keep alive 1 s, with an identifier of one letter. */
function connectPacket(letter: string): Buffer {
  return Buffer.from([0x10, 13, 0, 4, 0x4d, 0x51, 0x54, 0x54, 4, 2, 0, 1, 0, 1, letter.charCodeAt(0)])
}

async function opened(port: number): Promise<Socket> {
  const socket = connect({ port, host: '127.0.0.1', noDelay: true })
  onTestFinished(() => {
    socket.destroy()
  })
  await once(socket, 'connect')
  return socket
}

async function exchange(socket: Socket, bytes: Buffer): Promise<Buffer> {
  const answer = once(socket, 'data') as Promise<[Buffer]>
  socket.write(bytes)
  return (await answer)[0]
}

test('a process that was stopped for longer than a keep alive drops nobody when it goes on', async () => {
  const command = startCommand(anyPort, oneProcess)
  onTestFinished(() => command.stop())
  const port = portOf(await listeningUrl(command))
  const [silent, speaking, connecting] = [await opened(port), await opened(port), await opened(port)]
  expect(await exchange(silent, connectPacket('s'))).toEqual(connack)
  expect(await exchange(speaking, connectPacket('p'))).toEqual(connack)
  command.signal('SIGSTOP')
  const late = connect({ port, host: '127.0.0.1' })
  onTestFinished(() => {
    late.destroy()
  })
  const spoken = exchange(speaking, pingreq)
  const connected = [exchange(connecting, connectPacket('c')), exchange(late, connectPacket('l'))]
  await new Promise(resolve => setTimeout(resolve, 2500))
  command.signal('SIGCONT')
  // It had no chance to speak for as long as it was not heard, and has a second and a half from now on.
  const since = performance.now()
  const heard = exchange(silent, pingreq)
  expect(await spoken).toEqual(pingresp)
  expect(await Promise.all(connected)).toEqual([connack, connack])
  expect(await heard).toEqual(pingresp)
  await once(silent, 'close')
  expect(performance.now() - since).toBeGreaterThanOrEqual(1400)
})
