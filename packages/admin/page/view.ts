import type { Fields } from './api.ts'

/** What a view gets. */
export interface ViewContext {
  /** What stands behind the view's name in the address. */
  readonly subject: string
  /** Aborted when another view is shown. */
  readonly signal: AbortSignal
  /** Server-sent events, while this view is shown. */
  on(event: string, heard: (value: Fields) => void): void
}

/** A page of the dashboard. */
export interface View {
  readonly title: string
  show(context: ViewContext): Promise<HTMLElement> | HTMLElement
}

/** A field as text; one that is not there is empty. */
export function textOf(value: unknown): string {
  if (typeof value === 'string') return value
  return value === null || value === undefined ? '' : JSON.stringify(value)
}

/** The list in a response. */
export function itemsOf(response: Fields): readonly Fields[] {
  return (response['items'] ?? []) as readonly Fields[]
}
