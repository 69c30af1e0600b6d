import { readFileSync } from 'node:fs'

export interface Block {
  readonly file: string
  readonly language: string
  readonly text: string
}

const root = new URL('../../../', import.meta.url)

/** READMEs of this package and of the repository. */
export const readmeFiles = ['packages/broker/README.md', 'README.md'] as const

export function repositoryFile(path: string): string {
  return readFileSync(new URL(path, root), 'utf8')
}

/** The fenced blocks of a README. */
export function blocksOf(file: string): Block[] {
  return [...repositoryFile(file).matchAll(/^```(\w*)\n(.*?)^```$/gms)].map(([, language = '', text = '']) => ({
    file,
    language,
    text,
  }))
}

/** The code in the first cell of each row of the tables in a README's section. */
export function tableCodes(file: string, heading: string): string[] {
  const section = repositoryFile(file).split(`\n## ${heading}\n`)[1]?.split('\n## ')[0] ?? ''
  return [...section.matchAll(/^\| `([^`]+)`/gm)].map(([, code = '']) => code)
}
