// Makes the widget's files small: property names that only our own code uses become one or two letters, then terser goes
// over it. A name is ours when every use of it, as the type checker sees it, is declared in web/widget or web/protocol;
// one use that belongs to the wire, the server's configuration, the store, the browser or the language keeps it.
import { readdirSync } from 'node:fs'
import { minify } from 'terser'
import ts from 'typescript'

/** Declared by us, known outside: frames, and what the page and the server's configuration say. */
const FOREIGN_FILES = ['protocol/frames.ts', 'widget/context.ts']
/** Read by others: the server (Answer), the next version (Entry, Token), another tab (Note), the page (Kefu). */
const KEPT_TYPES = ['Answer', 'Entry', 'Token', 'Note', 'Kefu']

function program(root) {
  const files = ['widget', 'protocol'].flatMap((folder) => readdirSync(`${root}${folder}`)
    .filter((file) => file.endsWith('.ts') && !file.endsWith('.test.ts'))
    .map((file) => `${root}${folder}/${file}`))
  const { config } = ts.readConfigFile(`${root}tsconfig.json`, ts.sys.readFile)
  const { options } = ts.parseJsonConfigFileContent({ ...config, include: [], files: [] }, ts.sys, root)
  return [ts.createProgram(files, { ...options, noEmit: true }), files]
}

/** Names that may be shortened. */
export function ours(root) {
  const [whole, files] = program(root)
  const checker = whole.getTypeChecker()
  const mine = new Set()
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
    if (declarations.length > 0 && declarations.every(inside)) mine.add(name)
    else foreign.add(name)
  }
  const visit = (node) => {
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
      mine.add(node.name.text)
    } else if (ts.isBinaryExpression(node) && node.operatorToken.kind === ts.SyntaxKind.InKeyword) {
      foreign.add(node.left.text)
    }
    ts.forEachChild(node, visit)
  }
  for (const file of files) visit(whole.getSourceFile(file))
  return [...mine].filter((name) => !foreign.has(name))
}

/** One cache for both files: what the loader hands to the panel has the same names on both sides. */
export function squeezer(root) {
  const names = ours(root)
  const nameCache = {}
  return async (code, module) => {
    const result = await minify(code, {
      module, nameCache, ecma: 2022,
      compress: { passes: 3, unsafe_arrows: true, unsafe_methods: true, pure_getters: true },
      mangle: { properties: { builtins: true, regex: new RegExp(`^(${names.join('|')})$`) } },
      format: { ecma: 2022, comments: false },
    })
    return result.code
  }
}
