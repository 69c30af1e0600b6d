const two = (number: number): string => String(number).padStart(2, '0')

/** Hours and minutes by which the local time is ahead of UTC: `+0100`. */
function zone(date: Date): string {
  const minutes = -date.getTimezoneOffset()
  const ahead = Math.abs(minutes)
  return `${minutes < 0 ? '-' : '+'}${two(Math.floor(ahead / 60))}${two(ahead % 60)}`
}

function dateAndTime(date: Date): string {
  const day = `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`
  return `${day}T${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`
}

/** Local time, ISO 8601: `2016-08-10T09:47:38+0100`. */
export function isoTime(milliseconds: number): string {
  const date = new Date(milliseconds)
  return `${dateAndTime(date)}${zone(date)}`
}

/** The same with microseconds, as Mosquitto's JSON has it. */
export function isoTimeExactly(milliseconds: number): string {
  const date = new Date(milliseconds)
  const microseconds = Math.floor((milliseconds % 1000) * 1000)
  return `${dateAndTime(date)}.${String(microseconds).padStart(6, '0')}Z${zone(date)}`
}

/** Seconds since the epoch, with nine digits behind the point. */
export function unixTime(milliseconds: number): string {
  const nanoseconds = Math.floor((milliseconds % 1000) * 1e6)
  return `${Math.floor(milliseconds / 1000)}.${String(nanoseconds).padStart(9, '0')}`
}
