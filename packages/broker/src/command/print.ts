/** Writes all that this process has to say. A reader that has gone has read enough; any other output that takes nothing is an error. */
export function print(stream: NodeJS.WriteStream, text: string): void {
  stream.once('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'EPIPE') return
    process.exitCode ??= 1
    if (stream !== process.stderr) print(process.stderr, `x-broker: the output can't be written: ${error.message}\n`)
  })
  stream.write(text)
}
