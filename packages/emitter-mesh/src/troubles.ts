import type { MeshError } from './mesh-error.ts'

/** Places whose trouble is remembered. */
const maximumPlaces = 1000

/** Tells the program of each trouble once, until it is over. */
export class Troubles {
  readonly #onError: ((error: MeshError) => unknown) | undefined
  /** Where there is trouble, and which. */
  readonly #known = new Map<string, string>()

  constructor(onError: ((error: MeshError) => unknown) | undefined) {
    this.#onError = onError
  }

  report(place: string, error: MeshError): void {
    if (this.#known.get(place) === error.code) return
    if (this.#known.size >= maximumPlaces) this.#known.clear()
    this.#known.set(place, error.code)
    this.tell(error)
  }

  over(place: string): void {
    this.#known.delete(place)
  }

  /** What the program's function throws or rejects concerns nobody here: it becomes a warning of the process. */
  tell(trouble: MeshError): void {
    try {
      const returned = this.#onError?.(trouble)
      if (returned instanceof Promise) returned.catch(warn)
    } catch (thrown) {
      warn(thrown)
    }
  }
}

function warn(thrown: unknown): void {
  process.emitWarning(`option onError failed: ${String(thrown)}`, { type: 'MeshWarning', code: 'ON_ERROR_FAILED' })
}
