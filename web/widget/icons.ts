// Icons as nodes: one outline family, 20 px grid, 1.75 px stroke.

const NS = 'http://www.w3.org/2000/svg'

const PATHS = {
  close: 'M5 5l10 10M15 5L5 15',
  more: 'M4 9.5v1M10 9.5v1M16 9.5v1',
  send: 'M17 3L9 11M17 3l-5 14-3-6-6-3z',
  down: 'M10 4v12M5 11l5 5 5-5',
  clock: 'M10 6v4l3 2M17 10a7 7 0 1 1-14 0 7 7 0 0 1 14 0z',
  check: 'M4 10.5l4 4 8-9',
  checks: 'M2 10.5l4 4 7-9M10 14.5l7-9',
  alert: 'M10 6.5v4.5M10 14h.01M17.5 10a7.5 7.5 0 1 1-15 0 7.5 7.5 0 0 1 15 0z',
  sync: 'M16 8A6.5 6.5 0 0 0 4.6 6.3M4 12a6.5 6.5 0 0 0 11.4 1.7M4.5 3v3.5H8M15.5 17v-3.5H12',
  people: 'M13 17v-1.5a3.5 3.5 0 0 0-3.5-3.5h-3A3.5 3.5 0 0 0 3 15.5V17'
    + 'M8 9a3 3 0 1 0 0-6 3 3 0 0 0 0 6zM17 17v-1.5a3.5 3.5 0 0 0-2.6-3.4M12.5 3.1a3 3 0 0 1 0 5.8',
}

export type Icon = keyof typeof PATHS

export function icon(name: Icon, size = 20): SVGSVGElement {
  return svg(PATHS[name], size)
}

/** A face for a rating: the mouth bends from frown (1) to smile (5). */
export function face(score: number): SVGSVGElement {
  const bend = 13.5 + (score - 3) * 1.6
  const ends = 13.5 - (score - 3) * 0.6
  return svg(`M7.5 8.5v-.5M12.5 8.5v-.5M6.5 ${ends}Q10 ${bend} 13.5 ${ends}`
    + 'M18 10a8 8 0 1 1-16 0 8 8 0 0 1 16 0z', 32)
}

function svg(d: string, size: number): SVGSVGElement {
  const node = document.createElementNS(NS, 'svg')
  const path = document.createElementNS(NS, 'path')
  for (const [name, value] of Object.entries({
    viewBox: '0 0 20 20', width: size, height: size, fill: 'none',
    stroke: 'currentColor', 'stroke-width': 1.75, 'stroke-linecap': 'round',
    'stroke-linejoin': 'round', 'aria-hidden': 'true',
  })) node.setAttribute(name, String(value))
  path.setAttribute('d', d)
  node.append(path)
  return node
}
