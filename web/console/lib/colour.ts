// Contrast of a site's brand colour by the WCAG formula.

function channel(value: number): number {
  const c = value / 255
  return c <= 0.03928 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4
}

function luminance(hex: string): number {
  const n = Number.parseInt(hex.slice(1), 16)
  return 0.2126 * channel(n >> 16) + 0.7152 * channel((n >> 8) & 255) + 0.0722 * channel(n & 255)
}

export function isColour(text: string): boolean {
  return /^#[0-9a-f]{6}$/i.test(text)
}

export function contrast(a: string, b: string): number {
  const [x, y] = [luminance(a), luminance(b)]
  return (Math.max(x, y) + 0.05) / (Math.min(x, y) + 0.05)
}

/** Black or white, whichever reads better on `hex`, and how well. */
export function textOn(hex: string): { colour: '#ffffff' | '#000000'; ratio: number } {
  const white = contrast(hex, '#ffffff')
  const black = contrast(hex, '#000000')
  return white >= black ? { colour: '#ffffff', ratio: white } : { colour: '#000000', ratio: black }
}

/** An origin as browsers send it: scheme, host, port, nothing after. */
export function isOrigin(text: string): boolean {
  try {
    const url = new URL(text)
    return /^https?:$/.test(url.protocol) && url.origin === text
  } catch {
    return false
  }
}

/** The origin of a page's address; a bare host means https. */
export function originOf(address: string): string | undefined {
  try {
    const url = new URL(/^[a-z]+:\/\//i.test(address) ? address : `https://${address}`)
    return /^https?:$/.test(url.protocol) && url.hostname !== '' ? url.origin : undefined
  } catch {
    return undefined
  }
}
