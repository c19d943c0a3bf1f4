// Makes the widget's files small: property names that only our own code uses become one letter, then terser goes over
// it. A name is ours when every use of it, as the type checker sees it, is declared in web/widget or web/protocol;
// one use that belongs to the wire, the server's configuration, the store, the browser or the language keeps it.
import { readdirSync } from 'node:fs'
import { minify } from 'terser'
import ts from 'typescript'

/** Declared by us, known outside: frames, and what the page and the server's configuration say. */
const FOREIGN_FILES = ['protocol/frames.ts', 'widget/context.ts']
/** Read by others: the server (Answer, Refusal), the next version (Entry, Token), another tab (Note), the page (Kefu). */
const KEPT_TYPES = ['Answer', 'Refusal', 'Entry', 'Token', 'Note', 'Kefu']

function program(root) {
  const files = ['widget', 'protocol'].flatMap((folder) => readdirSync(`${root}${folder}`)
    .filter((file) => file.endsWith('.ts') && !file.endsWith('.test.ts'))
    .map((file) => `${root}${folder}/${file}`))
  const { config } = ts.readConfigFile(`${root}tsconfig.json`, ts.sys.readFile)
  const { options } = ts.parseJsonConfigFileContent({ ...config, include: [], files: [] }, ts.sys, root)
  return [ts.createProgram(files, { ...options, noEmit: true }), files]
}

/** Shared by names that never meet in one object. The first are what terser calls most variables. */
const LETTERS = [...'etisnroahlcdupmfgvbywkqjzxETISNROAHLCDUPMFGVBYWKQJZX$_']

/** Each name that may be shortened, and what it becomes. */
export function shortNames(root) {
  const [whole, files] = program(root)
  const checker = whole.getTypeChecker()
  /** Name → how often it is used. */
  const mine = new Map()
  const types = new Set()
  const foreign = new Set()
  const inside = (declaration) => {
    const { fileName } = declaration.getSourceFile()
    if (!files.includes(fileName) || FOREIGN_FILES.some((file) => fileName.endsWith(file))) return false
    if (ts.isClassDeclaration(declaration.parent) || ts.isParameter(declaration)) return true
    let { parent } = declaration
    while (ts.isTypeNode(parent)) ({ parent } = parent)
    const named = ts.isTypeAliasDeclaration(parent) || ts.isInterfaceDeclaration(parent)
    return named && !KEPT_TYPES.includes(parent.name.text)
  }
  const use = (name, symbol) => {
    const declarations = symbol?.declarations ?? []
    if (declarations.length > 0 && declarations.every(inside)) mine.set(name, (mine.get(name) ?? 0) + 1)
    else foreign.add(name)
  }
  const visit = (node) => {
    if (ts.isExpression(node) || ts.isClassElement(node)) {
      const type = checker.getTypeAtLocation(node)
      for (const one of type.isUnion() ? type.types : [type]) types.add(one)
    }
    if (ts.isClassDeclaration(node)) types.add(checker.getDeclaredTypeOfSymbol(node.symbol))
    if (ts.isPropertyAccessExpression(node)) {
      use(node.name.text, checker.getSymbolAtLocation(node.name))
    } else if (ts.isObjectLiteralExpression(node)) {
      const type = checker.getContextualType(node)
      for (const { name } of node.properties) {
        if (name && !ts.isComputedPropertyName(name)) use(name.text, type && checker.getPropertyOfType(type, name.text))
      }
    } else if (ts.isObjectBindingPattern(node)) {
      const type = checker.getTypeAtLocation(node)
      for (const { name, propertyName, dotDotDotToken } of node.elements) {
        const text = (propertyName ?? name).text
        if (!dotDotDotToken) use(text, checker.getPropertyOfType(type, text))
      }
    } else if (ts.isClassElement(node) || ts.isPropertySignature(node) || ts.isMethodSignature(node)) {
      if (node.name && ts.isIdentifier(node.name)) use(node.name.text, checker.getSymbolAtLocation(node.name))
    } else if (ts.isParameter(node) && ts.isParameterPropertyDeclaration(node, node.parent)) {
      use(node.name.text, node.symbol)
    } else if (ts.isBinaryExpression(node) && node.operatorToken.kind === ts.SyntaxKind.InKeyword) {
      foreign.add(node.left.text)
    }
    ts.forEachChild(node, visit)
  }
  for (const file of files) visit(whole.getSourceFile(file))
  for (const name of foreign) mine.delete(name)
  return lettered(mine, [...types].map((type) =>
    checker.getPropertiesOfType(type).map((symbol) => symbol.name).filter((name) => mine.has(name))))
}

/** One letter for each name, the most used first; never the same for two names of one object. */
function lettered(uses, objects) {
  const short = new Map()
  for (const [name] of [...uses].sort((a, b) => b[1] - a[1])) {
    const taken = new Set(objects.filter((names) => names.includes(name)).flat().map((other) => short.get(other)))
    const letter = LETTERS.find((one) => !taken.has(one))
    if (letter) short.set(name, letter)
  }
  return short
}

/** One cache for both files: what the loader hands to the panel has the same names on both sides. */
export function squeezer(root) {
  const names = shortNames(root)
  const props = Object.fromEntries([...names].map(([name, letter]) => [`$${name}`, letter]))
  return async (code, module) => {
    const result = await minify(code, {
      module, nameCache: { props: { props } }, ecma: 2022,
      compress: { passes: 3, lhs_constants: false, unsafe_arrows: true, unsafe_methods: true, pure_getters: true },
      mangle: { properties: { builtins: true, regex: new RegExp(`^(${[...names.keys()].join('|')})$`) } },
      format: { ecma: 2022, comments: false },
    })
    return result.code
  }
}
