// Keyboard rules shared by the whole console: single letters act only outside inputs and never while composing.

export function composing(event: KeyboardEvent): boolean {
  return event.isComposing || event.keyCode === 229 || event.key === 'Process'
}

export function typingInto(target: EventTarget | null): boolean {
  if (!(target instanceof HTMLElement)) return false
  return target.isContentEditable || /^(input|textarea|select)$/i.test(target.tagName)
}

/** A plain letter meant as a command. */
export function command(event: KeyboardEvent): string | undefined {
  if (composing(event) || event.repeat || event.ctrlKey || event.metaKey || event.altKey) return
  if (event.getModifierState?.('AltGraph')) return
  if (typingInto(event.target)) return
  return event.key.length === 1 ? event.key.toLowerCase() : event.key
}
