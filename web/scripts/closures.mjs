// Turns the classes of a bundle into functions, so that what only a class itself uses is a variable.
import ts from 'typescript'
import { applied } from './names.mjs'

/** For each class, the members that others use: by their own name, or as what an interface asks for. */
export function outerMembers([whole, files]) {
  const checker = whole.getTypeChecker()
  const outer = new Map()
  const shapes = []
  const owner = ({ parent }) => [parent, parent.parent].find((one) => one && ts.isClassDeclaration(one))
  const reach = (owned, name) => outer.get(owned.name.text).add(name)
  const reached = (node, symbol) => {
    for (const declaration of symbol?.declarations ?? []) {
      const owned = owner(declaration)
      if (!owned || !outer.has(owned.name.text)) continue
      let here = node
      while (here && here !== owned) here = here.parent
      const by = ts.isPropertyAccessExpression(node) ? node.expression : node.parent.parent.initializer
      if (!here || by.kind !== ts.SyntaxKind.ThisKeyword) reach(owned, symbol.name)
    }
  }
  const visit = (node) => {
    if (ts.isPropertyAccessExpression(node)) reached(node, checker.getSymbolAtLocation(node.name))
    if (ts.isBindingElement(node) && ts.isObjectBindingPattern(node.parent)) {
      const { text } = node.propertyName ?? node.name
      reached(node, checker.getPropertyOfType(checker.getTypeAtLocation(node.parent), text))
    }
    ts.forEachChild(node, visit)
  }
  const sources = files.map((file) => whole.getSourceFile(file))
  const declared = sources.flatMap(({ statements }) => [...statements])
  for (const one of declared) {
    if (ts.isClassDeclaration(one)) outer.set(one.name.text, new Set())
    if (ts.isInterfaceDeclaration(one)) shapes.push(checker.getTypeAtLocation(one))
  }
  for (const one of declared.filter(ts.isClassDeclaration)) {
    const type = checker.getTypeAtLocation(one)
    for (const shape of shapes.filter((each) => checker.isTypeAssignableTo(type, each))) {
      for (const { name } of checker.getPropertiesOfType(shape)) reach(one, name)
    }
  }
  sources.forEach(visit)
  return outer
}

/**
 * Classes become functions that give an object: what only the class itself uses is a variable then, which has a letter
 * and needs no `this.`. `outer`: for each class, the members that others use.
 */
export function closures(code, outer) {
  const source = ts.createSourceFile('bundle.js', code, ts.ScriptTarget.ESNext, true)
  const edits = []
  // What was `new` is a plain call.
  const calls = (node) => ts.isNewExpression(node) && outer.has(node.expression.text)
    && [node.getStart(), node.expression.getStart(), '']
  const visit = (node) => {
    if (ts.isClassLike(node)) {
      const { text: name } = node.name ?? node.parent.name
      edits.push([node.getStart(), node.end, closure(node, outer.get(name), code, calls)])
    } else {
      if (calls(node)) edits.push(calls(node))
      ts.forEachChild(node, visit)
    }
  }
  visit(source)
  return applied(code, 0, code.length, edits)
}

/** One class as a function. */
function closure(node, outer, code, calls) {
  const named = (member) => member.name.text
  const methods = new Set(node.members.filter(ts.isMethodDeclaration).map(named))
  const getters = new Set(node.members.filter(ts.isGetAccessor).map(named))
  const own = (name) => methods.has(name) || (!outer.has(name.replace('$', '')) && !getters.has(name))
  const reach = (name) => (own(name) ? `${name}$` : `self$.${name}`)
  /** The text of a part of the class with `this` resolved. */
  const resolved = (part) => {
    const edits = []
    const visit = (inner) => {
      if (ts.isPropertyAccessExpression(inner) && inner.expression.kind === ts.SyntaxKind.ThisKeyword) {
        edits.push([inner.getStart(), inner.end, reach(inner.name.text)])
      } else if (ts.isVariableDeclaration(inner) && inner.initializer?.kind === ts.SyntaxKind.ThisKeyword) {
        edits.push([inner.getStart(), inner.end, inner.name.elements.map(({ name, propertyName }) =>
          `${name.text} = ${reach((propertyName ?? name).text)}`).join(', ')])
      } else if (inner.kind === ts.SyntaxKind.ThisKeyword) {
        throw new Error(`a class hands out itself: ${inner.parent.getText()}`)
      } else {
        if (calls(inner)) edits.push(calls(inner))
        ts.forEachChild(inner, visit)
      }
    }
    visit(part)
    return applied(code, part.getStart(), part.end, edits)
  }
  const shape = []
  const locals = []
  const functions = []
  let head = ''
  let body = ''
  for (const member of node.members) {
    if (ts.isConstructorDeclaration(member)) {
      head = member.parameters.map(resolved).join(', ')
      body = member.body.statements.map(resolved).join('\n')
    } else if (ts.isPropertyDeclaration(member)) {
      const { initializer } = member
      const name = `${named(member)}$`
      if (own(named(member))) locals.push(initializer ? `${name} = ${resolved(initializer)}` : name)
      else shape.push(`${named(member)}: ${initializer ? resolved(initializer) : 'undefined'}`)
    } else if (ts.isGetAccessor(member)) shape.push(resolved(member))
    else {
      const text = resolved(member)
      functions.push(text.replace(/^(async )?[\w$]+/, (all, how = '') => `${how}function ${named(member)}$`))
      if (outer.has(named(member).replace('$', ''))) shape.push(`${named(member)}: ${named(member)}$`)
    }
  }
  return `function(${head}) {
    ${locals.length ? `let ${locals.join(', ')}` : ''}
    const self$ = { ${shape.join(', ')} }
    ${functions.join('\n')}
    ${body}
    return self$
  }`
}
