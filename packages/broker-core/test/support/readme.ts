import { readFileSync } from 'node:fs'

/** A file of this package, named from its root. */
export function fileText(path: string): string {
  return readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8')
}

/** The cells of the table whose first columns have these headings, without code marks, header and rule left out. */
export function readmeTable(
  heading: string,
  secondHeading: string,
  file = 'README.md',
): readonly (readonly string[])[] {
  const rows = fileText(file)
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
  if (start < 0) throw new Error(`${file} has no table with the columns ${heading} and ${secondHeading}`)
  const end = rows.findIndex((row, index) => index > start && row.length === 0)
  return rows.slice(start + 2, end)
}
