/** `up`: from who connected to what it connected to. */
export type Direction = 'up' | 'down'
