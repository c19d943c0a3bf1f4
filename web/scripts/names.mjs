// Marks with a `$` the properties that only our own code knows, before the widget is bundled. A property is ours when
// all its declarations, as the type checker sees them, stand in web/widget or web/protocol; what belongs to the wire, the
// server's configuration, the store, the browser or the language keeps its name. A mark that is wrong is a type error.
import { readdirSync } from 'node:fs'
import ts from 'typescript'

/** Declared by us, known outside: frames. */
const FOREIGN_FILE = 'protocol/frames.ts'
/**
 * Read or written by others: the server (Answer, Refusal, Config, Field), the next version (Entry, Token), another tab
 * (Note), the page (Kefu, Options, Identity); ClientEvents only lists names.
 */
const KEPT_TYPES = ['Answer', 'Refusal', 'Config', 'Field', 'Entry', 'Token', 'Note', 'Kefu', 'Options', 'Identity',
  'ClientEvents']

export function program(root) {
  const files = ['widget', 'protocol'].flatMap((folder) => readdirSync(`${root}${folder}`)
    .filter((file) => file.endsWith('.ts') && !/^(agent|index)\.ts$|\.test\.ts$/.test(file))
    .map((file) => `${root}${folder}/${file}`))
  const { config } = ts.readConfigFile(`${root}tsconfig.json`, ts.sys.readFile)
  const { options } = ts.parseJsonConfigFileContent({ ...config, include: [], files: [] }, ts.sys, root)
  return [ts.createProgram(files, { ...options, noEmit: true }), files]
}

/** Shared by names that never meet in one object. The first are what oxc calls most variables. */
const LETTERS = [...'etnriaoscludfpmhgvybxSCwTEDOkAjMNPFILRzBVHUWGKqJYXZQ$_']

/**
 * Marks the properties that only our own code knows with a `$`: for each file, what to write where. A property is ours
 * when all its declarations are; where an expression may mean several, they are ours together or not at all.
 */
export function ownNames([whole, files]) {
  const foreign = new Set()
  const [uses, types] = usesIn(whole, files)
  const ours = (declaration) => {
    const { fileName } = declaration.getSourceFile()
    if (foreign.has(declaration) || !files.includes(fileName) || fileName.endsWith(FOREIGN_FILE)) return false
    if (ts.isClassDeclaration(declaration.parent)) return true
    if (!ts.isPropertySignature(declaration) && !ts.isMethodSignature(declaration)) return false
    let { parent } = declaration
    while (ts.isTypeLiteralNode(parent) || ts.isUnionTypeNode(parent)) ({ parent } = parent)
    const named = ts.isTypeAliasDeclaration(parent) || ts.isInterfaceDeclaration(parent)
    return named && !KEPT_TYPES.includes(parent.name.text)
  }
  for (let before = -1; before !== foreign.size;) {
    before = foreign.size
    for (const { declarations } of uses) {
      if (!declarations.every(ours)) declarations.forEach((one) => foreign.add(one))
    }
  }
  const edits = new Map(files.map((file) => [file, []]))
  const counts = new Map()
  for (const { node, declarations, pair, quoted } of uses) {
    const { text } = node
    if (!declarations.length || !declarations.every(ours)) continue
    counts.set(`${text}$`, (counts.get(`${text}$`) ?? 0) + 1)
    edits.get(node.getSourceFile().fileName).push([node.getStart(), node.end,
      quoted ? `'${text}$'` : pair ? `${text}$: ${text}` : `${text}$`])
  }
  const objects = [...types].map((type) => whole.getTypeChecker().getPropertiesOfType(type)
    .filter(({ declarations = [] }) => declarations.length && declarations.every(ours)).map(({ name }) => `${name}$`))
  const marked = new Map(files.map((file) =>
    [file, applied(whole.getSourceFile(file).text, 0, Infinity, edits.get(file))]))
  typecheck(whole, marked)
  return [marked, lettered(counts, objects)]
}

/** Every use of a property with what declares it, and every type of an object. */
function usesIn(whole, files) {
  const checker = whole.getTypeChecker()
  const uses = []
  const property = (type, name) => {
    const solid = type && checker.getNonNullableType(type)
    const one = solid && checker.getPropertyOfType(solid, name)
    if (one || !solid?.isUnion()) return one?.declarations ?? []
    return solid.types.flatMap((each) => checker.getPropertyOfType(each, name)?.declarations ?? [])
  }
  const use = (node, declarations, pair = false) => uses.push({ node, declarations, pair })
  const types = new Set()
  const visit = (node) => {
    if (ts.isExpression(node) || ts.isClassDeclaration(node)) {
      const type = checker.getTypeAtLocation(node)
      for (const one of type.isUnion() ? type.types : [type]) types.add(one)
    }
    if (ts.isPropertyAccessExpression(node)) {
      use(node.name, checker.getSymbolAtLocation(node.name)?.declarations ?? [])
    } else if (ts.isObjectLiteralExpression(node)) {
      // What is assigned to an object has that object's names.
      const { parent } = node
      const assigned = ts.isCallExpression(parent) && parent.expression.getText() === 'Object.assign'
      const type = assigned ? checker.getTypeAtLocation(parent.arguments[0]) : checker.getContextualType(node)
      for (const one of node.properties) {
        if (!one.name || ts.isComputedPropertyName(one.name)) continue
        use(one.name, property(type, one.name.text), ts.isShorthandPropertyAssignment(one))
      }
    } else if (ts.isObjectBindingPattern(node)) {
      const type = checker.getTypeAtLocation(node)
      for (const { name, propertyName, dotDotDotToken } of node.elements) {
        const key = propertyName ?? name
        if (!dotDotDotToken) use(key, property(type, key.text), !propertyName)
      }
    } else if (ts.isIndexedAccessTypeNode(node) && ts.isLiteralTypeNode(node.indexType)) {
      const { literal } = node.indexType
      uses.push({
        node: literal, declarations: property(checker.getTypeAtLocation(node.objectType), literal.text), quoted: true,
      })
    } else if (ts.isTypeElement(node) || (ts.isClassElement(node) && ts.isClassDeclaration(node.parent))) {
      if (node.name && ts.isIdentifier(node.name)) use(node.name, [node])
    }
    ts.forEachChild(node, visit)
  }
  for (const file of files) visit(whole.getSourceFile(file))
  return [uses, types]
}

/** What the marks got wrong is a type error: a property that another one was to become. */
function typecheck(whole, marked) {
  const options = whole.getCompilerOptions()
  const host = ts.createCompilerHost(options)
  const { getSourceFile } = host
  host.getSourceFile = (file, ...more) => (marked.has(file)
    ? ts.createSourceFile(file, marked.get(file), ...more) : getSourceFile.call(host, file, ...more))
  const program = ts.createProgram([...marked.keys()], options, host)
  const wrong = program.getSemanticDiagnostics().filter(({ category }) => category === ts.DiagnosticCategory.Error)
  if (wrong.length) throw new Error(ts.formatDiagnostics(wrong, { ...host, getCanonicalFileName: (name) => name }))
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

export function applied(code, from, to, edits) {
  let out = ''
  let at = from
  for (const [start, end, text] of edits.sort((a, b) => a[0] - b[0])) {
    out += code.slice(at, start) + text
    at = end
  }
  return out + code.slice(at, to)
}
