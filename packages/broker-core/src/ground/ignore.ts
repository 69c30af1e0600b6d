/** Does nothing: for a function that must be given and need not act. */
export function ignore(): void {
  // Nothing to do.
}
