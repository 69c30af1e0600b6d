/** What a tool of the command ends with. */
export class ToolError extends Error {
  /** Of the process. */
  readonly exitCode: number
  /** The command line is at fault, so the user is told where help is. */
  readonly isUsage: boolean

  constructor(message: string, { exitCode = 1, isUsage = false }: { exitCode?: number; isUsage?: boolean } = {}) {
    super(message)
    this.name = 'ToolError'
    this.exitCode = exitCode
    this.isUsage = isUsage
  }
}

/** For a command line that can't be followed. */
export function wrongUsage(sentence: string): ToolError {
  return new ToolError(`Error: ${sentence}`, { isUsage: true })
}
