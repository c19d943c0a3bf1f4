// One soft tone, made and not fetched. Browsers allow sound only after a gesture: the first one arms it.

const LEAST_MS = 5_000
let audio: AudioContext | undefined
let last = 0

export function armSound(): void {
  try {
    audio ??= new AudioContext()
    void audio.resume()
  } catch { /* a browser without sound */ }
}

export function tone(): void {
  const now = Date.now()
  if (audio?.state !== 'running' || now - last < LEAST_MS) return
  last = now
  const at = audio.currentTime
  const gain = audio.createGain()
  const wave = audio.createOscillator()
  gain.gain.value = 0.06
  gain.gain.exponentialRampToValueAtTime(0.001, at + 0.4)
  wave.frequency.value = 660
  wave.frequency.setValueAtTime(880, at + 0.1)
  wave.connect(gain).connect(audio.destination)
  wave.start(at)
  wave.stop(at + 0.4)
}
