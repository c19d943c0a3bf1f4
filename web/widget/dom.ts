// Elements without markup: text is always text.

type Child = Node | string | false | null | undefined

/** `h('button.main', { onclick }, 'Send')`: properties, never attributes. */
export function h<T extends HTMLElement = HTMLElement>(spec: string, props: object = {}, ...children: Child[]): T {
  const [tag, name] = spec.split('.')
  const node = Object.assign(document.createElement(tag!), props)
  if (name) node.className = name
  put(node, ...children)
  return node as unknown as T
}

export function put(node: Element, ...children: Child[]): void {
  node.replaceChildren(...children.filter((one): one is Node | string => !!one))
}

/** An outline of `box` units, drawn `size` px wide. */
export function svg(box: number, size: number, ...paths: string[]): SVGElement {
  const make = (name: string, attributes: object): SVGElement => {
    const node = document.createElementNS('http://www.w3.org/2000/svg', name)
    for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value as string)
    return node
  }
  const node = make('svg', { viewBox: `0 0 ${box} ${box}`, width: size, height: size, 'aria-hidden': true })
  node.append(...paths.map((d) => make('path', { d })))
  return node
}
