// Packs what was built once and as small as it gets, beside each file: the server embeds the packed ones and sends them
// to whoever accepts them.
import { readFileSync, readdirSync, writeFileSync } from 'node:fs'
import { brotliCompressSync, constants, gzipSync } from 'node:zlib'

const dist = new URL('../dist/', import.meta.url).pathname
/** Below this, packing saves no packet. */
const LEAST = 1024

for (const entry of readdirSync(dist, { recursive: true, withFileTypes: true })) {
  const file = `${entry.parentPath}/${entry.name}`
  if (!entry.isFile() || !/\.(js|css|html|svg|json)$/.test(entry.name)) continue
  const plain = readFileSync(file)
  if (plain.length < LEAST) continue
  writeFileSync(`${file}.gz`, gzipSync(plain, { level: 9 }))
  writeFileSync(`${file}.br`, brotliCompressSync(plain, { params: { [constants.BROTLI_PARAM_SIZE_HINT]: plain.length } }))
}
