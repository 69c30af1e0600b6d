import type { FilterEntry } from './filter-entry.ts'
import { ownText } from './own-text.ts'
import type { MatchWalk } from './wildcard-trie.ts'

const PLUS = '+'
const PLUS_CODE = 0x2b
const SLASH = 0x2f
const DOLLAR = 0x24

/** One or more levels on the way to filters. */
interface Node<Value> {
  /** Levels from the parent to here, joined by `/`; may have `+` among them. */
  label: string
  /** The filter that ends here. */
  entry: FilterEntry<Value> | undefined
  /** The filter that ends here with `/#`. */
  rest: FilterEntry<Value> | undefined
  /** By the first level of their labels; undefined: none. Never `+`. */
  children: Map<string, Node<Value>> | undefined
  /** The child whose label begins with `+`. */
  plus: Node<Value> | undefined
}

/** Wildcard filters of any depth. Levels that only one way leads through share a node, so that a filter takes two nodes at most, however
 * deep it is, beside its text: 20 000 filters of 100 levels take 12 MB, and 380 MB as a Map for each level, which is how qlobber has
 * them. No recursion, neither over levels nor over nodes. */
export class DeepTrie<Value> {
  readonly #root: Node<Value> = newNode('')
  // Where `collect` has to go on, and where the next level of the topic begins there. Empty between calls.
  readonly #nodes: Node<Value>[] = []
  readonly #starts: number[] = []

  /** The filter must not be there. */
  add(filter: string, entry: FilterEntry<Value>): void {
    const hasRest = endsWithRest(filter)
    const node = this.#nodeFor(hasRest ? filter.slice(0, -2) : filter)
    if (hasRest) node.rest = entry
    else node.entry = entry
  }

  remove(filter: string): void {
    const hasRest = endsWithRest(filter)
    const path = this.#path(hasRest ? filter.slice(0, -2) : filter)
    const node = path.at(-1)
    if (node === undefined) return
    if (hasRest) node.rest = undefined
    else node.entry = undefined
    const parent = path.at(-2) ?? this.#root
    if (node.entry !== undefined || node.rest !== undefined) return
    if (childCount(node) === 0) {
      removeChild(parent, firstLevel(node.label))
      if (parent !== this.#root) mergeOnlyChild(parent)
    } else mergeOnlyChild(node)
  }

  /** Appends the values of every filter that matches the topic. */
  collect(topic: string, walk: MatchWalk<Value>): void {
    const nodes = this.#nodes
    const starts = this.#starts
    this.#step(this.#root, topic, 0)
    for (let node = nodes.pop(); node !== undefined; node = nodes.pop()) {
      walk.visited += 1
      const start = starts.pop() as number
      node.rest?.appendTo(walk.values)
      if (start > topic.length) node.entry?.appendTo(walk.values)
      else this.#step(node, topic, start)
    }
  }

  /** Puts the children that match on the stack. */
  #step(node: Node<Value>, topic: string, start: number): void {
    const slash = topic.indexOf('/', start)
    const level = topic.slice(start, slash < 0 ? topic.length : slash)
    const child = node.children?.get(level)
    if (child !== undefined) this.#visit(child, topic, start)
    // The first level alone is hidden from wildcards when it begins with `$`. [MQTT5-4.7.2-1]
    if (node.plus === undefined || (start === 0 && node === this.#root && topic.charCodeAt(0) === DOLLAR)) return
    this.#visit(node.plus, topic, start)
  }

  #visit(node: Node<Value>, topic: string, start: number): void {
    const next = matchLabel(node.label, topic, start)
    if (next < 0) return
    this.#nodes.push(node)
    this.#starts.push(next)
  }

  /** The nodes that lead to exactly these levels; empty when they are not there. */
  #path(levels: string): Node<Value>[] {
    const path: Node<Value>[] = []
    let node = this.#root
    for (let start = 0; start <= levels.length;) {
      const child = childOf(node, firstLevel(levels, start))
      if (child === undefined || !startsWithLevels(levels, start, child.label)) return []
      path.push(child)
      start += child.label.length + 1
      node = child
    }
    return path
  }

  #nodeFor(levels: string): Node<Value> {
    let node = this.#root
    for (let start = 0; start <= levels.length;) {
      const first = firstLevel(levels, start)
      const child = childOf(node, first)
      if (child === undefined) {
        const added = newNode<Value>(ownText(levels.slice(start)))
        setChild(node, added)
        return added
      }
      const common = commonLevels(levels, start, child.label)
      if (common < child.label.length) split(child, common)
      start += common + 1
      node = child
    }
    return node
  }
}

function newNode<Value>(label: string): Node<Value> {
  return { label, entry: undefined, rest: undefined, children: undefined, plus: undefined }
}

function endsWithRest(filter: string): boolean {
  return filter.endsWith('/#')
}

function firstLevel(levels: string, start = 0): string {
  const slash = levels.indexOf('/', start)
  return levels.slice(start, slash < 0 ? levels.length : slash)
}

function childOf<Value>(node: Node<Value>, first: string): Node<Value> | undefined {
  return first === PLUS ? node.plus : node.children?.get(first)
}

function setChild<Value>(node: Node<Value>, child: Node<Value>): void {
  const first = firstLevel(child.label)
  if (first === PLUS) node.plus = child
  else (node.children ??= new Map()).set(ownText(first), child)
}

function removeChild<Value>(node: Node<Value>, first: string): void {
  if (first === PLUS) node.plus = undefined
  else if (node.children?.size === 1) node.children = undefined
  else node.children?.delete(first)
}

function childCount<Value>({ children, plus }: Node<Value>): number {
  return (children?.size ?? 0) + (plus === undefined ? 0 : 1)
}

/** Characters of the whole levels that the label and the text from `start` on begin with; at least the first level is the same. */
function commonLevels(levels: string, start: number, label: string): number {
  let whole = 0
  for (let index = 0; ; index += 1) {
    const isEnd = start + index === levels.length
    const isLabelEnd = index === label.length
    const endsLevel = isEnd || levels.charCodeAt(start + index) === SLASH
    if (endsLevel && (isLabelEnd || label.charCodeAt(index) === SLASH)) whole = index
    if (isEnd || isLabelEnd || levels.charCodeAt(start + index) !== label.charCodeAt(index)) return whole
  }
}

function startsWithLevels(levels: string, start: number, label: string): boolean {
  const end = start + label.length
  return levels.startsWith(label, start) && (end === levels.length || levels.charCodeAt(end) === SLASH)
}

/** Leaves the node the first levels of its label; a new child gets the others, and what hung at the node. */
function split<Value>(node: Node<Value>, length: number): void {
  const below: Node<Value> = { ...node, label: ownText(node.label.slice(length + 1)) }
  node.label = ownText(node.label.slice(0, length))
  node.entry = undefined
  node.rest = undefined
  node.children = undefined
  node.plus = undefined
  setChild(node, below)
}

/** A node that no filter ends at, and one way leads through, becomes one with what comes next. */
function mergeOnlyChild<Value>(node: Node<Value>): void {
  if (node.entry !== undefined || node.rest !== undefined || childCount(node) !== 1) return
  const child = node.plus ?? node.children?.values().next().value
  if (child === undefined) return
  node.label = ownText(`${node.label}/${child.label}`)
  node.entry = child.entry
  node.rest = child.rest
  node.children = child.children
  node.plus = child.plus
}

/** Where the next level of the topic begins behind the label's levels, beyond its end when there is none; -1: it does not match. */
function matchLabel(label: string, topic: string, start: number): number {
  let position = start
  for (let index = 0; index < label.length; index += 1) {
    const character = label.charCodeAt(index)
    // A `+` beside other characters is one itself.
    if (character === PLUS_CODE && isWholeLevel(label, index)) {
      const slash = topic.indexOf('/', position)
      position = slash < 0 ? topic.length : slash
    } else if (topic.charCodeAt(position) === character) position += 1
    else return -1
  }
  if (position === topic.length) return position + 1
  return topic.charCodeAt(position) === SLASH ? position + 1 : -1
}

function isWholeLevel(label: string, index: number): boolean {
  return (
    (index === 0 || label.charCodeAt(index - 1) === SLASH) &&
    (index + 1 === label.length || label.charCodeAt(index + 1) === SLASH)
  )
}
