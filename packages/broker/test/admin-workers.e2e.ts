import { readFileSync, readdirSync } from 'node:fs'
import { connectAsync } from 'mqtt'
import type { MqttClient } from 'mqtt'
import { expect, onTestFinished, test } from 'vitest'
import { clientEvent } from './client-event.ts'
import { anyPort, listeningUrl, startCommand } from './started-command.ts'

interface Page {
  readonly items: readonly { readonly clientId: string; readonly name: string; readonly worker: number }[]
  readonly cursor: string | null
  readonly missing: readonly number[]
}

/** A broker of several processes, and its API. */
class Started {
  readonly url: string
  /** Number of the worker that serves the API. */
  readonly serving: number
  readonly #api: string
  readonly #key: string
  readonly #pid: number

  private constructor(url: string, line: string, pid: number) {
    const [, page = ''] = /dashboard and API on (http[^"]*)/.exec(line) ?? []
    const [api = '', key = ''] = page.split('/#key=')
    this.url = url
    this.serving = (JSON.parse(line) as { worker: number }).worker
    this.#api = api
    this.#key = key
    this.#pid = pid
  }

  static async start(workers: number): Promise<Started> {
    const process = startCommand([...anyPort, '--workers', `${workers}`, '--admin-port', '0', '--memory'])
    onTestFinished(async () => process.stop('SIGTERM'))
    const url = await listeningUrl(process)
    const started = new Started(url, await process.line(/dashboard and API on/), process.pid ?? 0)
    // Workers tell each second what they have.
    const known = async (): Promise<number> => {
      const { workers: all } = (await started.ask('GET', '/broker')).body as { workers: readonly object[] }
      return all.length
    }
    await expect.poll(known).toBe(workers)
    return started
  }

  async ask(method: string, path: string): Promise<{ readonly status: number; readonly body: unknown }> {
    const authorization = `Bearer ${this.#key}`
    const response = await fetch(`${this.#api}/api/v1${path}`, { method, headers: { authorization } })
    return { status: response.status, body: await response.json() }
  }

  /** All pages. */
  async list(path: string): Promise<Page['items']> {
    const items: Page['items'][number][] = []
    let cursor: string | null = ''
    while (cursor !== null) {
      const query: string = cursor === '' ? '' : `&cursor=${encodeURIComponent(cursor)}`
      const page = (await this.ask('GET', `${path}${query}`)).body as Page
      expect(page.missing).toEqual([])
      items.push(...page.items)
      cursor = page.cursor
    }
    return items
  }

  async connect(clientId: string): Promise<MqttClient> {
    const client = await connectAsync(this.url, { clientId, reconnectPeriod: 0, protocolVersion: 5 })
    client.on('error', () => undefined)
    onTestFinished(() => void client.end(true))
    return client
  }

  /** The process of a worker. */
  pidOf(worker: number): number {
    const pid = readdirSync('/proc')
      .filter(name => /^\d+$/.test(name))
      .find(name => environmentOf(name).includes(`X_WORKER_PLACE={"number":${worker},`) && parentOf(name) === this.#pid)
    return Number(pid)
  }
}

function environmentOf(pid: string): string {
  return contents(`/proc/${pid}/environ`)
}

function parentOf(pid: string): number {
  const stat = contents(`/proc/${pid}/stat`)
  return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1])
}

function contents(file: string): string {
  try {
    return readFileSync(file, 'latin1')
  } catch {
    return ''
  }
}

const names = Array.from({ length: 12 }, (_, index) => `client-${`${index}`.padStart(2, '0')}`)

test('clients and shared groups of all workers are listed page by page, looked up and closed', async () => {
  const started = await Started.start(3)
  const clients = new Map<string, MqttClient>()
  for (const name of names) clients.set(name, await started.connect(name))
  for (const client of clients.values()) await client.subscribeAsync('$share/g/a/#')
  const listed = await started.list('/clients?limit=2&search=client-')
  expect(listed.map(({ clientId }) => clientId).toSorted()).toEqual(names)
  const groups = await started.list('/groups?limit=1')
  expect(groups.map(({ worker }) => worker).toSorted()).toEqual(
    [...new Set(listed.map(({ worker }) => worker))].toSorted(),
  )
  const { body } = await started.ask('GET', `/groups/members?name=${encodeURIComponent('$share/g/a/#')}`)
  expect((body as { members: string[] }).members.toSorted()).toEqual(names)
  for (const { clientId, worker } of listed) {
    expect((await started.ask('GET', `/clients/${clientId}`)).body).toMatchObject({
      clientId,
      worker,
      filters: [{ filter: '$share/g/a/#' }],
    })
    const closed = clientEvent(clients.get(clientId) as MqttClient, 'close')
    expect(await started.ask('DELETE', `/clients/${clientId}`)).toMatchObject({ status: 200, body: { clientId } })
    await closed
  }
  await expect.poll(async () => started.list('/clients?search=client-')).toEqual([])
  expect(await started.ask('GET', '/clients/client-00')).toMatchObject({
    status: 404,
    body: { code: 'CLIENT_UNKNOWN' },
  })
  expect(await started.ask('GET', '/clients?cursor=2~none')).toMatchObject({ status: 400 })
})

test('a worker that stands still is named in what is listed, and in what is not found', async () => {
  const started = await Started.start(2)
  const other = started.serving === 1 ? 2 : 1
  const pid = started.pidOf(other)
  /** It may be continued by somebody else meanwhile, so it is stopped for each question. */
  const asked = async (path: string): Promise<unknown> => {
    process.kill(pid, 'SIGSTOP')
    return (await started.ask('GET', path)).body
  }
  try {
    await expect
      .poll(async () => asked('/clients?search=nobody'))
      .toEqual({ items: [], cursor: null, missing: [other] })
    const detail = expect.stringContaining(`worker ${other} did not answer`) as unknown
    await expect.poll(async () => asked('/clients/nobody')).toMatchObject({ code: 'CLIENT_UNKNOWN', detail })
  } finally {
    process.kill(pid, 'SIGCONT')
  }
})
