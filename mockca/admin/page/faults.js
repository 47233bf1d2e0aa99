// The catalogue of faults as switches. A fault that is on is a rule.

import { h, keyed } from './dom.js'
import { act, get } from './api.js'

export function faults(main) {
  const search = h('input', { type: 'search', placeholder: 'name, effect, duty  ( / )', 'aria-label': 'Search faults' })
  const active = h('input', { type: 'checkbox' })
  const rules = h('ul', { class: 'cards' }), catalogue = h('div')
  main.append(
    h('section', {}, h('div', { class: 'bar' }, h('strong', { class: 'grow' }, 'Rules at work'),
      h('button', { type: 'button', class: 'danger', onclick: () => act('DELETE', '/rules', undefined, 'No faults any more.') }, 'All off')), rules),
    h('h2', {}, 'Catalogue'),
    h('div', { class: 'bar' }, search, h('label', {}, active, ' only what is on')), catalogue)

  let endpoints = [], entries = []
  const start = Promise.all([get('/faults'), get('/endpoints')]).then(([all, points]) => {
    endpoints = points
    entries = all.map(f => entry(f, endpoints))
    const groups = Map.groupBy(entries, e => e.fault.group || 'other')
    catalogue.replaceChildren(...[...groups].map(([group, list]) => h('section', {}, h('h2', {}, group), list.map(e => e.element))))
    filter()
  })

  function filter() {
    const words = search.value.toLowerCase().split(/\s+/).filter(Boolean)
    for (const e of entries) e.element.hidden = !words.every(w => e.text.includes(w)) || active.checked && !e.on.length
    for (const section of catalogue.children) section.hidden = ![...section.querySelectorAll('.fault')].some(f => !f.hidden)
  }
  search.addEventListener('input', filter)
  active.addEventListener('input', filter)

  return async () => {
    const [list] = await Promise.all([get('/rules'), start])
    keyed(rules, list, r => r.id, r => h('li', { class: 'card row' },
      h('span', { class: 'grow' }, h('code', {}, r.fault), ' ', h('span', { class: 'dim' }, condition(r))),
      h('span', { class: 'hits' }, `${r.hits} of ${r.matched}`, r.spent && ' · spent'),
      h('button', { type: 'button', onclick: () => act('DELETE', '/rules/' + r.id) }, 'Remove')))
    if (!list.length) rules.replaceChildren(h('li', { class: 'dim' }, 'None: the CA does everything right.'))
    for (const e of entries) e.update(list.filter(r => r.fault === e.fault.name || r.fault.startsWith(e.fault.name + ':')))
    filter()
  }
}

function condition(r) {
  const w = r.when ?? {}
  return [r.times && `${r.times} ×`, w.endpoint && 'at ' + w.endpoint, w.endpoints?.length && 'at ' + w.endpoints.join(', '), w.identifier && 'for ' + w.identifier,
    w.account && 'account ' + w.account, w.nth && `the ${w.nth}. time`, w.skip && `after ${w.skip}`, w.every && `every ${w.every}.`, w.probability && `${w.probability * 100} %`, w.stage && w.stage + ' the CA acted'].filter(Boolean).join(' · ')
}

// entry is a fault of the catalogue: a switch, with conditions for those who want
// them.
function entry(fault, endpoints) {
  const field = (name, label, size, value) => h('label', {}, label + ' ', h('input', { name, size, value, autocomplete: 'off' }))
  const form = h('form', { class: 'set' },
    fault.params && field('params', fault.params.split('=')[0], 14, fault.params.slice(fault.params.indexOf('=') + 1)),
    field('times', 'times', 4, fault.times || ''),
    h('details', {}, h('summary', {}, 'when'), h('div', { class: 'set' },
      h('label', {}, 'endpoint ', h('select', { name: 'endpoint' }, h('option', { value: '' }, fault.endpoints?.length ? fault.endpoints.join(', ') : 'any'), endpoints.map(e => h('option', {}, e)))),
      field('identifier', 'identifier', 14), field('nth', 'nth', 3), field('skip', 'skip', 3), field('probability', 'probability', 5))))
  const toggle = h('button', { type: 'button', class: 'switch', role: 'switch', 'aria-checked': 'false', 'aria-label': fault.name })
  const hits = h('span', { class: 'hits dim' })
  const made = { fault, on: [], text: [fault.name, fault.doc, fault.duty, fault.group, ...fault.requirements ?? []].join(' ').toLowerCase() }

  const rule = () => {
    const data = Object.fromEntries([...new FormData(form)].map(([k, v]) => [k, v.trim()]))
    const number = name => data[name] ? Number(data[name]) : undefined
    return { fault: fault.name + (data.params ? ':' + data.params : ''), times: number('times'),
      when: { endpoint: data.endpoint || undefined, identifier: data.identifier || undefined, nth: number('nth'), skip: number('skip'), probability: number('probability') } }
  }
  const flip = () => made.on.length ? made.on.forEach(r => act('DELETE', '/rules/' + r.id)) : act('POST', '/rules', rule())
  toggle.addEventListener('click', flip)
  form.addEventListener('submit', event => { event.preventDefault(); if (!made.on.length) flip() })

  made.update = on => {
    made.on = on
    toggle.setAttribute('aria-checked', String(on.length > 0))
    hits.textContent = on.length ? on.reduce((n, r) => n + r.hits, 0) + ' hits' : ''
  }
  made.element = h('div', { class: 'fault' }, toggle,
    h('div', {}, h('p', { class: 'name' }, fault.name), h('p', {}, fault.doc), h('p', { class: 'dim' }, 'A correct client: ' + fault.duty + '.'), form), hits)
  return made
}
