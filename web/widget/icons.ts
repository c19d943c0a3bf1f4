// Icons: one outline family, 20 px grid, 1.75 px stroke.

import { svg } from './dom'

export const CLOSE = 'M5 5l10 10M15 5L5 15'
export const MORE = 'M4 9.5v1M10 9.5v1M16 9.5v1'
export const SEND = 'M17 3L9 11M17 3l-5 14-3-6-6-3z'
export const CLIP = 'M14 5v9a4 4 0 0 1-8 0V6a3 3 0 0 1 6 0v8a1 1 0 0 1-3 0V7'
export const DOWN = 'M10 4v12M5 11l5 5 5-5'
export const CLOCK = 'M10 6v4l3 2M17 10a7 7 0 1 1-14 0 7 7 0 0 1 14 0z'
export const CHECK = 'M4 10.5l4 4 8-9'
export const CHECKS = 'M2 10.5l4 4 7-9M10 14.5l7-9'
export const ALERT = 'M10 6v5M10 14v.1M17 10a7 7 0 1 1-14 0 7 7 0 0 1 14 0z'
export const SYNC = 'M16 8A6.5 6.5 0 0 0 5 6M4 12a6.5 6.5 0 0 0 11 2M5 3v3h3M15 17v-3h-3'

export function icon(path: string, size = 20): SVGElement {
  return svg(20, size, path)
}

/** A face for a rating: the mouth bends from frown (1) to smile (5). */
export function face(score: number): SVGElement {
  const bend = (score - 3) * 0.6
  return icon(`M7 8v.1M13 8v.1M6 ${13 - bend}q4 ${bend * 3.5} 8 0M18 10a8 8 0 1 1-16 0 8 8 0 0 1 16 0z`, 32)
}
