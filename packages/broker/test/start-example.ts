import { onTestFinished } from 'vitest'
import { StartedProcess } from './started-command.ts'
import { freePort } from '../../../tools/testing/free-port.ts'

/** An example as a user runs it on the built packages, ready to be connected to. */
export async function startExample(
  name: string,
  environment: Readonly<Record<string, string>> = {},
): Promise<{ port: number; program: StartedProcess }> {
  const port = await freePort()
  const parameters = ['--import', 'tsx', `examples/${name}.ts`]
  const program = new StartedProcess(process.execPath, parameters, { PORT: `${port}`, ...environment })
  onTestFinished(() => program.stop())
  await program.line(/listening/)
  return { port, program }
}
