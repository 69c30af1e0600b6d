import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { emitterCompliance } from '@x/contract/compliance/emitter'
import { describe, test } from 'vitest'
import { MeshEmitter } from '../src/index.ts'
import { secret } from './meshes.ts'

describe('over the sockets of a directory', () => {
  emitterCompliance({
    test,
    factory: () => {
      const directory = mkdtempSync(join(tmpdir(), 'x-mesh-'))
      return {
        emitter: () => new MeshEmitter({ directory }),
        close: () => rmSync(directory, { recursive: true, force: true }),
      }
    },
    settleMilliseconds: 20,
  })
})

describe('over TCP, each with the address of one that was there', () => {
  emitterCompliance({
    test,
    factory: () => {
      const all: MeshEmitter[] = []
      return {
        emitter: () => {
          const peers = all.flatMap(({ address }) => address ?? [])
          const emitter = new MeshEmitter({ listen: '127.0.0.1:0', peers, secret })
          all.push(emitter)
          return emitter
        },
      }
    },
    settleMilliseconds: 20,
  })
})
