// A site's colour is any colour: what is written on it is black or white, whichever contrasts more.

export function luminance(hex: string): number {
  const [red, green, blue] = [1, 3, 5].map((at) => {
    const c = parseInt(hex.slice(at, at + 2), 16) / 255
    return c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4
  })
  return 0.2126 * red! + 0.7152 * green! + 0.0722 * blue!
}

/** Black and white contrast equally with a luminance of √(1.05 × 0.05) − 0.05. */
export function textOn(hex: string): '#fff' | '#000' {
  return luminance(hex) < 0.1791 ? '#fff' : '#000'
}

export function brand(color: string | undefined): string {
  return /^#[0-9a-f]{6}$/i.test(color ?? '') ? color! : '#2158d0'
}
