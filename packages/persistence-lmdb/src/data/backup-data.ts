import { chmodSync, closeSync, existsSync, fsyncSync, mkdtempSync, openSync, renameSync, rmSync } from 'node:fs'
import { basename, dirname, join, resolve } from 'node:path'
import { PersistenceError } from '@x/contract'
import { Environment } from '../environment.ts'
import { Instances } from '../instances.ts'
import { openAlone } from './opened-directory.ts'
import { checkStore } from './snapshot.ts'

const dataFile = 'data.mdb'

/** Writes a directory as it is at one moment into a file, also while brokers have it open. As `data.mdb` of an empty directory it is that
 * store again.
 * @throws PersistenceError `UNAVAILABLE` when there is no store in the directory; `OPTION_INVALID` when the file is there already */
export async function backupData(directory: string, file: string): Promise<void> {
  if (existsSync(file)) throw new PersistenceError('OPTION_INVALID', { message: `${file} is there already` })
  checkStore(directory)
  const environment = new Environment({ directory, sync: true })
  try {
    await copyInto(environment, file)
  } finally {
    await environment.close()
  }
}

/** Rewrites the file of a directory without its free pages, which otherwise stay for what comes.
 * @throws PersistenceError `UNAVAILABLE` while a broker has it open, and when there is no store in the directory */
export async function compactData(directory: string): Promise<void> {
  checkStore(directory)
  const { parts, close } = await openAlone(directory)
  try {
    await copyInto(parts.environment, join(directory, dataFile))
  } finally {
    await close()
  }
}

/** The file appears, or takes the place of another one, when all of it is on the disk. */
async function copyInto(environment: Environment, file: string): Promise<void> {
  const folder = dirname(resolve(file))
  const work = mkdtempSync(join(folder, `.${basename(file)}-`))
  try {
    await environment.copyTo(work)
    await forgetBrokers(work)
    chmodSync(join(work, dataFile), 0o600)
    flush(join(work, dataFile))
    renameSync(join(work, dataFile), file)
    flush(folder)
  } finally {
    rmSync(work, { recursive: true, force: true })
  }
}

/** To whom opens the copy, the brokers that had the directory open are gone, and their clients with them. */
async function forgetBrokers(directory: string): Promise<void> {
  const copy = new Environment({ directory, sync: true })
  const instances = new Instances(copy)
  try {
    await copy.transaction(() => {
      for (const instance of instances.all()) instances.bury(instance)
    })
  } finally {
    await copy.close()
  }
}

function flush(path: string): void {
  const file = openSync(path, 'r')
  try {
    fsyncSync(file)
  } finally {
    closeSync(file)
  }
}
