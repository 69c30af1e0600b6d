import { execFileSync } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { connect as connectTls } from 'node:tls'
import { afterAll, describe, expect, onTestFinished, test } from 'vitest'
import { readTlsFiles } from '../src/command/tls-files.ts'
import { Authority } from './certificates.ts'
import type { Certificate } from './certificates.ts'
import { listeningUrl, portOf, startCommand } from './started-command.ts'
import { connectFrame, exchange, openWay } from './ways-in.ts'
import { temporaryFolder } from '../../../tools/testing/temporary-folder.ts'

const root = new Authority()
const signing = root.works ? new Authority(root) : root
afterAll(() => {
  for (const authority of new Set([root, signing])) authority.remove()
})

describe.skipIf(!root.works)('with openssl', () => {
  const server = root.sign('localhost')
  const ca = Buffer.concat([root.ca, signing.ca])
  const good = signing.sign('good')
  const revoked = signing.sign('revoked')
  const listed = signing.revocationList([revoked])

  /** Undefined: the client gets in; else why not. */
  async function refusal(lists: Buffer, client: Certificate, authorities: Buffer = ca): Promise<string | undefined> {
    const tls = { ...server, ca: authorities, requestCert: true, revocationLists: lists }
    const { port, refusals } = await openWay({ tls })
    const { cert, key } = client
    const entered = await exchange(`mqtts://localhost:${port}`, { ca: root.ca, cert, key }).catch(() => undefined)
    expect(entered === undefined).toBe(refusals.length > 0)
    return refusals[0]?.message
  }

  test('the list of the authority that has signed is enough; who is on it is refused', async () => {
    expect(await refusal(listed, good)).toBe(undefined)
    expect(await refusal(listed, revoked)).toBe("the client's certificate: CERT_REVOKED: it is revoked")
    expect(await refusal(signing.revocationList([]), revoked)).toBe(undefined)
  })

  test("an authority that is revoked takes its clients with it, where its own authority's list is there", async () => {
    const ours = { cert: signing.ca } as Certificate
    const both = Buffer.concat([listed, root.revocationList([ours])])
    expect(await refusal(both, good)).toBe("the client's certificate: CERT_REVOKED: it is revoked")
    expect(await refusal(Buffer.concat([listed, root.revocationList([])]), good)).toBe(undefined)
  })

  const of = "the client's certificate: the revocation list of the authority that has signed it"

  test('a list that is missing, too old, too new or forged lets nobody in', async () => {
    expect(await refusal(root.revocationList([]), good)).toBe(
      "the client's certificate: UNABLE_TO_GET_CRL: no revocation list of the authority that has signed it is given",
    )
    const old = signing.revocationList([], ['20200101000000Z', '20210101000000Z'])
    expect(await refusal(old, good)).toBe(`${of} has expired`)
    const future = signing.revocationList([], ['20500101000000Z', '20510101000000Z'])
    expect(await refusal(future, good)).toBe(`${of} is not valid yet`)
    const another = new Authority(root)
    onTestFinished(() => another.remove())
    expect(await refusal(another.revocationList([]), good)).toBe(`${of} has a wrong signature`)
  })

  test('an authority that the client sends itself is known, too', async () => {
    const chain = { ...good, cert: Buffer.concat([good.cert, signing.ca]) }
    expect(await refusal(listed, chain, root.ca)).toBe(undefined)
    const other = { ...revoked, cert: Buffer.concat([revoked.cert, signing.ca]) }
    expect(await refusal(listed, other, root.ca)).toContain('CERT_REVOKED')
  })

  test('a revoked authority is not got round by a forged certificate with its name and key', async () => {
    const { directory } = signing
    const file = (name: string): string => join(directory, name)
    const openssl = (...parameters: string[]): string => execFileSync('openssl', parameters, { encoding: 'utf8' })
    writeFileSync(file('public.pem'), openssl('x509', '-in', signing.caFile, '-pubkey', '-noout'))
    openssl('ecparam', '-name', 'prime256v1', '-genkey', '-noout', '-out', file('other.key'))
    const subject = openssl('x509', '-in', signing.caFile, '-noout', '-subject', '-nameopt', 'compat').trim()
    const name = subject.replace('subject=', '').trim()
    openssl('req', '-new', '-key', file('other.key'), '-subj', name, '-out', file('other.csr'))
    const made = ['-signkey', file('other.key'), '-force_pubkey', file('public.pem'), '-days', '-1']
    openssl('x509', '-req', '-in', file('other.csr'), ...made, '-out', file('forged.pem'))
    const lists = Buffer.concat([listed, root.revocationList([{ cert: signing.ca } as Certificate])])
    const forged = readFileSync(file('forged.pem'))
    for (const cert of [
      [good.cert, signing.ca],
      [good.cert, forged, signing.ca],
      [good.cert, signing.ca, forged],
    ]) {
      expect(await refusal(lists, { ...good, cert: Buffer.concat(cert) }, root.ca)).toBeDefined()
    }
  })

  test('a certificate that nobody but itself has signed needs a list as well', async () => {
    const lone = new Authority()
    onTestFinished(() => lone.remove())
    const client = { cert: lone.ca, key: readFileSync(join(lone.directory, 'ca.key')) } as Certificate
    expect(await refusal(listed, client, Buffer.concat([root.ca, lone.ca]))).toContain('UNABLE_TO_GET_CRL')
  })

  test.each(['TLSv1.2', 'TLSv1.3'] as const)('with %s a client that comes back is looked at anew', async maxVersion => {
    const tls = { ...server, ca: root.ca, requestCert: true, revocationLists: signing.revocationList([]) }
    const { port, listening, refusals } = await openWay({ tls })
    const options = { port, host: 'localhost', ca: root.ca, key: good.key, maxVersion }
    const enter = async (session?: Buffer): Promise<Buffer | undefined> => {
      let kept = session
      const cert = Buffer.concat([good.cert, signing.ca])
      const socket = connectTls({ ...options, cert, ...(session !== undefined && { session }) })
      socket.on('session', given => (kept = given))
      socket.on('error', () => undefined)
      socket.write(connectFrame('c'))
      const [first] = (await Promise.race([once(socket, 'data'), once(socket, 'close')])) as [unknown]
      socket.destroy()
      expect(Buffer.isBuffer(first)).toBe(refusals.length === 0)
      return kept
    }
    const session = await enter(await enter())
    listening.reloadTls({ revocationLists: signing.revocationList([good]) })
    await enter(session).catch(() => undefined)
    await expect.poll(() => refusals.length).toBe(1)
  })

  test('where no certificate is required, one that is revoked is as good as none', async () => {
    const tls = { ...server, ca, requestCert: true, rejectUnauthorized: false, identityAsUsername: true }
    const { port } = await openWay({ tls: { ...tls, revocationLists: listed } })
    const enter = ({ cert, key }: Certificate): Promise<unknown> =>
      exchange(`mqtts://localhost:${port}`, { ca: root.ca, cert, key })
    await enter(good)
    await expect(enter(revoked)).rejects.toMatchObject({ code: 5 })
  })

  test('new lists are taken for connections to come', async () => {
    const tls = { ...server, ca, requestCert: true, revocationLists: signing.revocationList([]) }
    const { port, listening } = await openWay({ tls, websocket: true })
    const { cert, key } = revoked
    await exchange(`wss://localhost:${port}`, { ca: root.ca, cert, key })
    expect(() => listening.reloadTls({ revocationLists: 'none' })).toThrow('it holds no revocation list in PEM')
    await exchange(`wss://localhost:${port}`, { ca: root.ca, cert, key })
    listening.reloadTls({ revocationLists: listed })
    await expect(exchange(`wss://localhost:${port}`, { ca: root.ca, cert, key })).rejects.toThrow()
  })

  test.for<[string, (list: Buffer) => string, string]>([
    ['no list', () => 'x', 'it holds no revocation list in PEM'],
    ['a list that is cut off', list => cut(list, 40), 'it is cut off'],
    ['a certificate under the name of a list', () => asList(root.ca), 'it has no time where there must be one'],
  ])('%s is refused with the name of its file', ([, text, problem]) => {
    const file = join(temporaryFolder(), 'crl.pem')
    writeFileSync(file, text(listed))
    expect(() => readTlsFiles({ crl: file }, '--tls-')).toThrow(`--tls-crl ${file}: ${problem}`)
  })

  test('the command reads the file of a configuration again on SIGHUP', async () => {
    const directory = temporaryFolder()
    const [crl, caFile, conf] = ['crl.pem', 'ca.pem', 'x.yaml'].map(name => join(directory, name)) as [
      string,
      string,
      string,
    ]
    writeFileSync(crl, signing.revocationList([]))
    writeFileSync(caFile, ca)
    const tls = { cert: server.certFile, key: server.keyFile, ca: caFile, crl }
    const listener = { protocols: ['mqtts'], port: 0, host: '127.0.0.1', tls }
    writeFileSync(conf, JSON.stringify({ listeners: [listener], store: { memory: true } }))
    const command = startCommand(['--config', conf])
    onTestFinished(() => command.stop())
    const url = `mqtts://localhost:${portOf(await listeningUrl(command))}`
    const { cert, key } = revoked
    await exchange(url, { ca: root.ca, cert, key })
    writeFileSync(crl, signing.revocationList([revoked]))
    command.signal('SIGHUP')
    await command.line(/are read again/)
    await expect(exchange(url, { ca: root.ca, cert, key })).rejects.toThrow()
  })
})

/** The first bytes of a list, as a list. */
function cut(list: Buffer, bytes: number): string {
  const base64 = list.toString().replaceAll(/-----[^-]+-----|\s/g, '')
  return block(Buffer.from(base64, 'base64').subarray(0, bytes).toString('base64'))
}

function asList(certificate: Buffer): string {
  return block(certificate.toString().replaceAll(/-----[^-]+-----|\s/g, ''))
}

function block(base64: string): string {
  return `-----BEGIN X509 CRL-----\n${base64}\n-----END X509 CRL-----\n`
}
