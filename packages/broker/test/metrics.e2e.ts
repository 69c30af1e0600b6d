import { connectAsync } from 'mqtt'
import { expect, onTestFinished, test } from 'vitest'
import { anyPort, listeningUrl, oneProcess, startCommand } from './started-command.ts'
import type { StartedProcess } from './started-command.ts'

/** Each of command processes takes a while to start, when other tests have the cores. */
const slow = { timeout: 120_000 }

function start(...parameters: string[]): StartedProcess {
  return ending(startCommand([...anyPort, '--metrics-port', '0', ...parameters]))
}

function ending(command: StartedProcess): StartedProcess {
  onTestFinished(async () => command.stop('SIGTERM'))
  return command
}

async function metricsUrl(command: StartedProcess): Promise<string> {
  const { metrics } = JSON.parse(await command.line(/"metrics":/)) as { metrics: string }
  return metrics
}

async function textOf(url: string): Promise<string> {
  return (await fetch(`${url}/metrics`)).text()
}

/** The value of this series. */
async function valueOf(url: string, series: string): Promise<number> {
  const line = (await textOf(url)).split('\n').find(one => one.startsWith(`${series} `))
  return Number(line?.slice(series.length + 1))
}

test('--metrics-port serves metrics and health on this machine alone, and names it in the log', async () => {
  // Workers have the numbers of processes by their own names.
  const command = ending(startCommand([...anyPort, '--metrics-port', '0'], oneProcess))
  const url = await metricsUrl(command)
  expect(url).toMatch(/^http:\/\/127\.0\.0\.1:\d+$/)
  const client = await connectAsync(await listeningUrl(command))
  onTestFinished(() => client.endAsync(true))
  expect(await valueOf(url, 'mqtt_clients_connected')).toBe(1)
  expect(await valueOf(url, 'mqtt_listener_connections{listener="mqtt:0"}')).toBe(1)
  expect(await textOf(url)).toContain('process_cpu_seconds_total')
  expect((await fetch(`${url}/health/ready`)).status).toBe(200)
})

test('with workers each scrape has the numbers of all, whichever of them is asked', slow, async () => {
  const command = start('--workers', '2')
  const mqtt = await listeningUrl(command)
  const url = await metricsUrl(command)
  await command.line(/workers accept connections/)
  const clients = await Promise.all(Array.from({ length: 4 }, async () => connectAsync(mqtt)))
  onTestFinished(async () => void (await Promise.all(clients.map(async client => client.endAsync(true)))))
  for (const client of clients) await client.publishAsync('a', 'xyz', { qos: 1 })
  // Workers report once a second; connections go to them in turn.
  const everywhere = async (series: string): Promise<number[]> =>
    Promise.all(Array.from({ length: 4 }, async () => valueOf(url, series)))
  const poll = { interval: 200 }
  await expect.poll(async () => everywhere('mqtt_clients_connected'), poll).toEqual([4, 4, 4, 4])
  await expect.poll(async () => everywhere('mqtt_publishes_received_total{qos="1"}'), poll).toEqual([4, 4, 4, 4])
  await expect.poll(async () => everywhere('mqtt_publish_received_bytes_total'), poll).toEqual([12, 12, 12, 12])
  await expect.poll(async () => everywhere('mqtt_listener_connections{listener="mqtt:0"}'), poll).toEqual([4, 4, 4, 4])
  for (const worker of [1, 2]) {
    expect(await everywhere(`mqtt_worker_resident_memory_bytes{worker="${worker}"}`)).toSatisfy((all: number[]) =>
      all.every(bytes => bytes > 10_000_000),
    )
  }
  const counts = [1, 2].map(async worker => valueOf(url, `mqtt_worker_clients_connected{worker="${worker}"}`))
  expect((await Promise.all(counts)).reduce((sum, count) => sum + count)).toBe(4)
  expect(await textOf(url)).not.toContain('process_cpu')
})

test('counters do not go back when a worker is replaced', slow, async () => {
  const command = start('--workers', '2')
  const mqtt = await listeningUrl(command)
  const url = await metricsUrl(command)
  await command.line(/workers accept connections/)
  for (let count = 0; count < 4; count += 1) {
    const client = await connectAsync(mqtt)
    await client.publishAsync('a', 'x', { qos: 2 })
    await client.endAsync()
  }
  const received = async (): Promise<number> => valueOf(url, 'mqtt_publishes_received_total{qos="2"}')
  const poll = { interval: 200 }
  await expect.poll(async () => Promise.all([received(), received()]), poll).toEqual([4, 4])
  command.signal('SIGUSR2')
  await command.line(/all workers were replaced/)
  await expect.poll(async () => Promise.all([received(), received()]), poll).toEqual([4, 4])
})
