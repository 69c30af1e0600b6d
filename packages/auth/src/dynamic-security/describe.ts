import type { CommandFields } from '../command-request.ts'
import { optionalText } from './fields.ts'

/** Takes the texts that a command gives for people to read.
 * @throws CommandRefusal */
export function describe(item: { textname?: string; textdescription?: string }, fields: CommandFields): void {
  const [textname, textdescription] = [optionalText(fields, 'textname'), optionalText(fields, 'textdescription')]
  if (textname !== undefined) item.textname = textname
  if (textdescription !== undefined) item.textdescription = textdescription
}

/** @throws CommandRefusal for one that is no text */
export function checkDescription(fields: CommandFields): void {
  describe({}, fields)
}
