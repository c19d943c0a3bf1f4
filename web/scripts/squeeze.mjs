// Makes the widget's files small: names.mjs has marked the properties that only our own code uses; here classes become
// functions, marked names one letter, and terser and oxc do the rest.
import { minify } from 'terser'
import { minifySync } from 'vite'
import { closures, outerMembers } from './closures.mjs'
import { ownNames, program } from './names.mjs'

/** The marked sources, and what makes a bundle of them small: with one cache, because files share objects. */
export function squeezer(root) {
  const all = program(root)
  const [marked, names] = ownNames(all)
  const outer = outerMembers(all)
  const props = Object.fromEntries([...names].map(([name, letter]) => [`$${name}`, letter]))
  const squeeze = async (code, module) => {
    const result = await minify(closures(code, outer), {
      module, nameCache: { props: { props } }, ecma: 2022,
      compress: {
        passes: 6, hoist_funs: true, lhs_constants: false, unsafe_arrows: true, unsafe_methods: true, pure_getters: true,
        inline: 0,
      },
      mangle: { properties: { builtins: true, regex: /\$$/ } },
      format: { ecma: 2022, comments: false },
    })
    // Variables once more: its letters, shared by functions side by side, pack better.
    return minifySync('bundle.js', result.code, { module, mangle: { toplevel: true } }).code
  }
  return { marked, squeeze }
}
