declare module 'parse-prometheus-text-format' {
  /** One metric with all its series. */
  export interface Family {
    readonly name: string
    readonly type: string
    readonly metrics: readonly { readonly value?: string; readonly labels?: Readonly<Record<string, string>> }[]
  }
  function parse(text: string): Family[]
  export default parse
}
