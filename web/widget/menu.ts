// What is behind ⋯.

import { h, put } from './dom'
import { selfTest, transcript } from './faces'
import { context } from './here'
import { leave, state, summary } from './session'
import { locale, t } from './text'

export const menu = h('div.menu', { hidden: true })

/** Opens or closes it; answers whether it is open. */
export function openMenu(update: () => void): boolean {
  const { recall, remember } = context
  const mute = recall('mute')
  const test = h('p', { role: 'status' })
  // A false word leaves the item out; the test shows its answer below.
  const list: [string | false, () => void][] = [
    [mute ? t.sound_on : t.sound_off, () => remember('mute', !mute)],
    [t.menu_lang, () => {
      remember('locale', locale === 'en' ? 'zh-CN' : 'en')
      update()
    }],
    [!!summary() && t.transcript, transcript],
    [state() === 'active' && t.menu_end, leave],
    [t.link_test, () => {
      menu.hidden = false
      void selfTest(test)
    }],
  ]
  put(menu, h('div', { role: 'menu' }, ...list.map(([words, act]) => words && h('button', {
    role: 'menuitem',
    onclick: () => {
      menu.hidden = true
      act()
    },
  }, words))), test)
  menu.hidden = !menu.hidden
  if (!menu.hidden) menu.querySelector('button')!.focus()
  return !menu.hidden
}
