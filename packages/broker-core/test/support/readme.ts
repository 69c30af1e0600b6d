import { readFileSync } from 'node:fs'

/** A file of this package, named from its root. */
export function fileText(path: string): string {
  return readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8')
}

/** The cells of the README's table whose first column has this heading, without code marks, header and rule left out. */
export function readmeTable(heading: string, secondHeading: string): readonly (readonly string[])[] {
  const rows = fileText('README.md')
    .split('\n')
    .map(line =>
      line.startsWith('|')
        ? line
            .slice(1, -1)
            .split('|')
            .map(cell => cell.trim().replaceAll('`', ''))
        : [],
    )
  const start = rows.findIndex(([first, second]) => first === heading && second === secondHeading)
  if (start < 0) throw new Error(`README has no table with the columns ${heading} and ${secondHeading}`)
  const end = rows.findIndex((row, index) => index > start && row.length === 0)
  return rows.slice(start + 2, end)
}
