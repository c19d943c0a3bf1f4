// Phones and themes: the panel is the visible part of the screen, keyboard or not; colours follow the page or the system.

import type { Context } from './context'

/** Keeps a full-screen panel inside the visual viewport. Answers how to stop. */
export function fullScreen(panel: HTMLElement): () => void {
  const port = window.visualViewport
  if (!port) return () => undefined
  let frame = 0
  const fit = (): void => {
    frame = 0
    const small = innerWidth < 480
    panel.style.top = small ? `${port.offsetTop}px` : ''
    panel.style.height = small ? `${port.height}px` : ''
    panel.setAttribute('aria-modal', String(small))
  }
  const soon = (): void => { frame ||= requestAnimationFrame(fit) }
  port.addEventListener('resize', soon, { passive: true })
  port.addEventListener('scroll', soon, { passive: true })
  fit()
  return () => {
    port.removeEventListener('resize', soon)
    port.removeEventListener('scroll', soon)
  }
}

export function followTheme(context: Context): () => void {
  const system = matchMedia('(prefers-color-scheme: dark)')
  const set = (): void => {
    const wish = context.options.theme ?? 'auto'
    context.host.dataset['theme'] = wish === 'auto' ? (system.matches ? 'dark' : 'light') : wish
  }
  system.addEventListener('change', set)
  set()
  return () => system.removeEventListener('change', set)
}
