// Where this panel is: there is one on a page, and every part of it reads this.

import type { Context } from './context'

export let context: Context

export function enter(from: Context): void {
  context = from
}
