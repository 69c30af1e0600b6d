/** Where something stands: a file and its line, a variable of the environment, or an option of the command line. */
export interface ConfigPlace {
  readonly file: string
  /** From 1. */
  readonly line?: number
}

/** What is wrong with a configuration, as sentences that each begin with where it stands: all that were found, not the first alone. */
export class ConfigProblem extends Error {
  override readonly name = 'ConfigProblem'
  readonly problems: readonly string[]

  constructor(problems: readonly string[]) {
    super(problems.join('\n'))
    this.problems = problems
  }
}

/** A sentence behind the place in a file that it is about. */
export function placed({ file, line }: ConfigPlace, sentence: string): string {
  return line === undefined ? `${file}: ${sentence}` : `${file}:${line}: ${sentence}`
}
