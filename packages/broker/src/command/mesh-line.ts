import { readFileSync } from 'node:fs'
import type { MeshEmitterOptions } from '@x/emitter-mesh'
import type { Config } from '../config/schema.ts'
import { Refusal } from './refusal.ts'

/** What the command line has for the mesh. */
export const meshLineOptions = {
  mesh: { type: 'string' },
  'mesh-listen': { type: 'string' },
  'mesh-peers': { type: 'string' },
  'mesh-advertise': { type: 'string' },
  'mesh-secret': { type: 'string' },
  'mesh-cert': { type: 'string' },
  'mesh-key': { type: 'string' },
  'mesh-ca': { type: 'string' },
} as const

type MeshConfig = NonNullable<Config['mesh']>

/** Undefined: nothing is said of a mesh.
 * @throws Refusal */
export function meshOf(
  values: Readonly<Partial<Record<keyof typeof meshLineOptions, string>>>,
): MeshConfig | undefined {
  const given = Object.keys(meshLineOptions).filter(name => Object.hasOwn(values, name))
  if (given.length === 0) return undefined
  const { mesh: directory, 'mesh-listen': listen, 'mesh-peers': peers, 'mesh-advertise': advertise } = values
  if (directory !== undefined) {
    if (directory === '') throw new Refusal("--mesh is '', it must be the path of a directory")
    if (given.length > 1) throw new Refusal(`--mesh connects brokers of this machine, --${given[1]} those of several`)
  } else if (listen === undefined) throw new Refusal(`--${given[0]} needs --mesh-listen`)
  return {
    directory,
    listen,
    peers: peers === undefined ? [] : peers.split(','),
    advertise,
    secretFile: values['mesh-secret'],
    tlsFiles: tlsOf(values),
  }
}

function tlsOf({
  'mesh-cert': cert,
  'mesh-key': key,
  'mesh-ca': ca,
}: Readonly<Partial<Record<keyof typeof meshLineOptions, string>>>): MeshConfig['tlsFiles'] {
  if (cert === undefined && key === undefined && ca === undefined) return undefined
  if (cert !== undefined && key !== undefined && ca !== undefined) return { cert, key, ca }
  throw new Refusal('--mesh-cert, --mesh-key and --mesh-ca must be given together')
}

/** Reads the files.
 * @throws Error that names the file */
export function readMesh({
  directory,
  listen,
  peers = [],
  advertise,
  secretFile,
  tlsFiles,
}: MeshConfig): MeshEmitterOptions {
  if (directory !== undefined) return { directory }
  return {
    ...(listen !== undefined && { listen }),
    peers,
    ...(advertise !== undefined && { advertise }),
    ...(secretFile !== undefined && { secret: read('mesh-secret', secretFile).toString().trim() }),
    ...(tlsFiles !== undefined && {
      tls: {
        cert: read('mesh-cert', tlsFiles.cert),
        key: read('mesh-key', tlsFiles.key),
        ca: read('mesh-ca', tlsFiles.ca),
      },
    }),
  }
}

function read(option: string, file: string): Buffer {
  try {
    return readFileSync(file)
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause)
    throw new Error(`--${option} ${file}: ${reason}`, { cause })
  }
}
