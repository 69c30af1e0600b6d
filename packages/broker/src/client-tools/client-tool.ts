import { readFileSync } from 'node:fs'
import { benchTool } from './bench-tool.ts'
import { Flags } from './flags.ts'
import type { Tool } from './flags.ts'
import { publishTool } from './publish-tool.ts'
import { requestTool } from './request-tool.ts'
import { subscribeTool } from './subscribe-tool.ts'
import type { ToolOutput } from './tool-client.ts'
import { topTool } from './top-tool.ts'
import { ToolError } from './tool-error.ts'
import { toolUsage } from './tool-usage.ts'

const tools = { pub: publishTool, sub: subscribeTool, rr: requestTool, top: topTool, bench: benchTool } as const

/** Runs `x-broker pub`, `sub`, `rr`, `top` or `bench`. Returns the exit code, which is that of Mosquitto's tool where it has one. */
export async function runClientTool(tool: Tool, words: readonly string[]): Promise<number> {
  // A reader that closes the pipe wants no more output.
  process.stdout.on('error', () => process.exit(0))
  const output: ToolOutput = {
    out: text => void process.stdout.write(text),
    error: text => void process.stderr.write(text),
  }
  try {
    const flags = new Flags(tool, words)
    if (flags.has('help')) output.out(toolUsage(tool))
    else if (flags.has('version')) output.out(`x-broker ${tool} version ${version()}\n`)
    else return await tools[tool](flags, output)
    return 0
  } catch (error) {
    if (!(error instanceof ToolError)) throw error
    if (!words.includes('--quiet') || error.isUsage) output.error(`${error.message}\n`)
    if (error.isUsage) output.error(`\nUse 'x-broker ${tool} --help' to see usage.\n`)
    return error.exitCode
  }
}

function version(): string {
  const manifest: unknown = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8'))
  return typeof manifest === 'object' && manifest !== null && 'version' in manifest ? String(manifest.version) : ''
}
