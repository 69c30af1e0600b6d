import { createServer } from 'node:net'

/** Below the ports that systems give to outgoing connections, of which other tests open thousands meanwhile; above those of `spawnRedis`. */
const [leastPort, portCount] = [20_001, 12_000]
let next = Math.floor(Math.random() * portCount)

/** A TCP port of this machine that nobody listens on, for a program that can't choose one itself. Each call of a process returns another. */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = leastPort + next
    next = (next + 1) % portCount
    if (await canListen(port)) return port
  }
}

function canListen(port: number): Promise<boolean> {
  return new Promise(resolve => {
    const server = createServer()
    server.once('error', () => resolve(false))
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)))
  })
}
