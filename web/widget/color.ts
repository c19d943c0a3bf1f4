// A site's colour is any colour: what is written on it is black or white, whichever contrasts more.

export function luminance(hex: string): number {
  const part = (at: number): number => {
    const c = parseInt(hex.slice(at, at + 2), 16) / 255
    return c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4
  }
  return 0.2126 * part(1) + 0.7152 * part(3) + 0.0722 * part(5)
}

export function textOn(hex: string): '#fff' | '#000' {
  const light = luminance(hex)
  return 1.05 / (light + 0.05) >= (light + 0.05) / 0.05 ? '#fff' : '#000'
}

export function brand(color: string | undefined): string {
  return /^#[0-9a-f]{6}$/i.test(color ?? '') ? color! : '#2158d0'
}
