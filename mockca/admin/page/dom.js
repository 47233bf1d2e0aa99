// Elements, and lists of them that change without losing what the reader is at.

function build(element, properties, children) {
  for (const [name, value] of Object.entries(properties ?? {})) {
    if (value === undefined || value === null || value === false) continue
    if (name.startsWith('on')) element.addEventListener(name.slice(2), value)
    else element.setAttribute(name, value === true ? '' : value)
  }
  element.append(...children.flat(Infinity).filter(c => c !== undefined && c !== null && c !== false))
  return element
}

// fill is replaceChildren that leaves out what is not there.
export const fill = (element, ...children) => { element.replaceChildren(); return build(element, {}, children) }

export const h = (name, properties, ...children) => build(document.createElement(name), properties, children)

export const svg = (name, properties, ...children) => build(document.createElementNS('http://www.w3.org/2000/svg', name), properties, children)

// keyed shows items in a container, in order. An item that is as it was keeps its
// element; where one is made anew, the focus stays at the same control.
export function keyed(container, items, key, make) {
  const old = new Map([...container.children].map(element => [element.dataset.key, element]))
  const shown = items.map(item => {
    const name = String(key(item)), state = JSON.stringify(item), before = old.get(name)
    if (before?.state === state) return before
    return Object.assign(make(item), { state, before })
  })
  shown.forEach((element, i) => { element.dataset.key = String(key(items[i])) })
  if (shown.length === container.children.length && shown.every((element, i) => element === container.children[i])) return
  const focused = shown.map(element => element.before && controls(element.before).indexOf(document.activeElement)).map((at, i) => at >= 0 && controls(shown[i])[at]).find(Boolean)
  container.replaceChildren(...shown)
  focused?.focus()
}

const controls = element => [...element.querySelectorAll('a, button, input, select, summary')]

export const badge = text => h('span', { class: 'badge ' + text }, text)

export const pre = value => h('pre', { tabindex: 0 }, typeof value === 'string' ? value : JSON.stringify(value, null, 2))

export const when = text => text && !text.startsWith('0001') ? text.slice(0, 19).replace('T', ' ') : ''

export const last = url => url ? url.slice(url.lastIndexOf('/') + 1) : ''

export const names = identifiers => (identifiers ?? []).map(i => i.value).join(', ')

export function say(text, good) {
  const line = h('p', { class: good ? 'good' : '' }, text)
  document.getElementById('alerts').append(line)
  setTimeout(() => line.remove(), good ? 3000 : 8000)
}
