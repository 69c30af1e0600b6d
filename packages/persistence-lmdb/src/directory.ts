import { accessSync, closeSync, constants, fstatSync, mkdirSync, openSync, readSync, statfsSync } from 'node:fs'
import { join } from 'node:path'
import { PersistenceError } from '@x/contract'

const dataFile = 'data.mdb'
const lockFile = 'lock.mdb'

/** File systems of other machines, by the number the system gives them: locks and memory maps do not hold there. */
const networkFileSystems: Readonly<Record<number, string>> = {
  0x6969: 'NFS',
  0xff534d42: 'CIFS',
  0xfe534d42: 'SMB',
  0x517b: 'SMB',
}

/** Where the fields of lmdb's meta records stand: in the first two pages of the file, and of what was flushed last in the middle of the
 * first one. */
const magicField = 24
const magic = 0xbeefc0de
const pageSizeField = 48
const flagsField = 52
/** Of a transaction that was not on the disk yet when this was written. */
const unflushedFlag = 0x1000
const lastPageField = 144
const transactionField = 152
const metaLength = transactionField + 8

/** ms that a fault in the file may last, and between two looks at it. */
const [patience, lookInterval] = [1000, 20]

/** Makes the directory, for this user alone, and looks whether what is there can be a store. Opening anything else would end the process.
 * @throws PersistenceError `UNAVAILABLE`, with the path, what was found, and what to do */
export function prepareDirectory(directory: string): void {
  try {
    mkdirSync(directory, { recursive: true, mode: 0o700 })
    accessSync(directory, constants.R_OK | constants.W_OK | constants.X_OK)
  } catch (cause) {
    throw unusable(directory, `cannot be made or written by this user: ${messageOf(cause)}`, cause)
  }
  const network = networkFileSystems[statfsSync(directory).type]
  if (network !== undefined) {
    throw unusable(directory, `is on a network file system (${network}), it must be on a disk of this machine`)
  }
  for (const name of [dataFile, lockFile]) checkFile(join(directory, name), name)
}

function checkFile(path: string, name: string): void {
  let file: number
  try {
    file = openSync(path, 'a+', 0o600)
  } catch (cause) {
    throw unusable(path, `cannot be read and written by this user: ${messageOf(cause)}`, cause)
  }
  try {
    if (name === dataFile) checkData(path, file)
  } finally {
    closeSync(file)
  }
}

/** Another broker may be making the file, or writing to it: a fault counts when it is still there after a second. */
function checkData(path: string, file: number): void {
  const until = performance.now() + patience
  let fault = faultOf(file)
  while (fault !== undefined && performance.now() < until) {
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, lookInterval)
    fault = faultOf(file)
  }
  if (fault !== undefined) throw unusable(path, fault)
}

function faultOf(file: number): string | undefined {
  if (fstatSync(file).size === 0) return undefined
  const first = metaAt(file, 0)
  const pageSize = first.readUInt32LE(magicField) === magic ? first.readUInt32LE(pageSizeField) : 0
  const isPageSize = pageSize >= 256 && pageSize <= 65_536 && Number.isInteger(Math.log2(pageSize))
  const second = isPageSize ? metaAt(file, pageSize) : undefined
  if (second?.readUInt32LE(magicField) !== magic) {
    return 'is not a file of this store, or its beginning is damaged; move it away, or name another directory'
  }
  const newest = transactionOf(second) > transactionOf(first) ? second : first
  const flushed = metaAt(file, pageSize / 2)
  // After a power failure the file may be shorter than what was written last and not flushed, which nobody was told of.
  const isRestored = (newest.readUInt16LE(flagsField) & unflushedFlag) !== 0 && transactionOf(flushed) > 0n
  const needed = (Number((isRestored ? flushed : newest).readBigUInt64LE(lastPageField)) + 1) * pageSize
  // Read last: a file that another broker writes to grows, and before its record of that.
  const { size } = fstatSync(file)
  if (size >= needed) return undefined
  return `has ${size} bytes, but ${needed} belong to it: it was cut off; restore it from a backup, or name another directory`
}

function transactionOf(meta: Buffer): bigint {
  return meta.readBigUInt64LE(transactionField)
}

function metaAt(file: number, position: number): Buffer {
  const page = Buffer.alloc(metaLength)
  readSync(file, page, 0, metaLength, position)
  return page
}

function unusable(path: string, why: string, cause?: unknown): PersistenceError {
  return new PersistenceError('UNAVAILABLE', { message: `${path} ${why}`, ...(cause !== undefined && { cause }) })
}

function messageOf(cause: unknown): string {
  return cause instanceof Error ? cause.message : String(cause)
}
