// A site's colour is any colour: what is written on it is black or white, whichever contrasts more.

/** Black and white contrast equally with a luminance of √(1.05 × 0.05) − 0.05. A plain gamma stands for sRGB's curve: the
 * worst colour there is still contrasts 4.52:1. */
export function textOn(hex: string): '#fff' | '#000' {
  const [red, green, blue] = [1, 3, 5].map((at) => (parseInt(hex.slice(at, at + 2), 16) / 255) ** 2.2)
  return 0.2126 * red! + 0.7152 * green! + 0.0722 * blue! < 0.18 ? '#fff' : '#000'
}

export function brand(color: string | undefined): string {
  return /^#[0-9a-f]{6}$/i.test(color ?? '') ? color! : '#2158d0'
}
