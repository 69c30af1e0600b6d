import { open, rename, rm } from 'node:fs/promises'
import { dirname } from 'node:path'

/** Writes a file that its owner alone may read. A reader, now or after a crash, finds the old text or the new one.
 * @throws an error of the file system; the old file is there then */
export async function writeWhole(file: string, text: string): Promise<void> {
  const next = `${file}.new`
  try {
    await rm(next, { force: true })
    const handle = await open(next, 'wx', 0o600)
    try {
      await handle.writeFile(text)
      await handle.sync()
    } finally {
      await handle.close()
    }
    await rename(next, file)
  } catch (error) {
    await rm(next, { force: true })
    throw error
  }
  await syncDirectory(dirname(file))
}

/** The new name is on the disk, too. Not every system can do this for a directory. */
async function syncDirectory(directory: string): Promise<void> {
  try {
    const handle = await open(directory, 'r')
    try {
      await handle.sync()
    } finally {
      await handle.close()
    }
  } catch {
    // Windows has no such thing; the file itself is whole.
  }
}
