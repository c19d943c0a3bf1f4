// Elements without markup: text is always text.

type Child = Node | string | false | null | undefined
type Props = Record<string, unknown>

/** `h('button.primary', { onclick }, 'Send')`; properties when the element has them, else attributes. */
export function h<T extends HTMLElement = HTMLElement>(
  spec: string, props: Props = {}, ...children: Child[]
): T {
  const [tag, ...classes] = spec.split('.')
  const node = document.createElement(tag || 'div')
  node.className = classes.join(' ')
  if (tag === 'button') (node as HTMLButtonElement).type = 'button'
  for (const [name, value] of Object.entries(props)) {
    if (value === undefined || value === false) continue
    if (name in node && !name.startsWith('aria')) (node as unknown as Props)[name] = value
    else node.setAttribute(name, value === true ? '' : String(value))
  }
  put(node, ...children)
  return node as T
}

export function put(node: Element, ...children: Child[]): void {
  node.replaceChildren(...children.filter((c): c is Node | string => !!c))
}

/** Text with its web addresses as links, built as nodes. */
export function linked(text: string): Node[] {
  const nodes: Node[] = []
  let from = 0
  for (const match of text.matchAll(/https?:\/\/[^\s<>"'，。；、）】]+[^\s<>"'，。；、）】.,;:!?)\]]/gu)) {
    nodes.push(document.createTextNode(text.slice(from, match.index)))
    nodes.push(h('a', { href: match[0], target: '_blank', rel: 'noopener noreferrer nofollow' }, match[0]))
    from = match.index + match[0].length
  }
  nodes.push(document.createTextNode(text.slice(from)))
  return nodes
}
