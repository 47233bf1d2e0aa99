// What the CA decides for itself: whose manner it has, what it verifies.

import { h, keyed, pre } from './dom.js'
import { act, get } from './api.js'

export function policy(main) {
  const who = h('select', { 'aria-label': 'Personality' })
  const take = h('form', { class: 'bar' }, h('label', {}, 'Behave as ', who), h('button', {}, 'Take its policy'),
    h('span', { class: 'grow' }), h('button', { type: 'button', onclick: () => act('POST', '/terms', { url: '' }, 'Accounts must agree to new terms.') }, 'Change the terms of service'),
    h('button', { type: 'button', class: 'danger', onclick: () => act('POST', '/forget', {}, 'All accounts, orders and certificates are forgotten.') }, 'Forget everything'))
  take.addEventListener('submit', event => { event.preventDefault(); act('PUT', '/personality', { personality: who.value }, 'The policy is another one.') })
  get('/personalities').then(all => who.append(h('option', { value: '' }, 'mockca: strict, without fault'), ...all.map(p => h('option', {}, p))))

  const text = h('textarea', { rows: 3, cols: 60, placeholder: '{"requireEAB": true, "finalizeDelay": "5s"}', 'aria-label': 'Changes to the policy, as JSON', class: 'mono' })
  const patch = h('form', { class: 'bar' }, text, h('button', {}, 'Change'))
  patch.addEventListener('submit', event => {
    event.preventDefault()
    let change
    try { change = JSON.parse(text.value) } catch (error) { text.setCustomValidity(error.message); text.reportValidity(); return }
    act('PATCH', '/policy', change, 'Changed.')
  })
  text.addEventListener('input', () => text.setCustomValidity(''))

  const eab = h('ul', { class: 'cards' })
  const search = h('input', { type: 'search', placeholder: 'check  ( / )', 'aria-label': 'Search checks' })
  const checks = h('div'), shown = h('div')
  main.append(take, patch, h('details', {}, h('summary', {}, 'The policy'), shown),
    h('h2', {}, 'Keys for external account bindings'), h('p', {}, h('button', { type: 'button', onclick: () => act('POST', '/eab', {}) }, 'Make a key')), eab,
    h('h2', {}, 'Checks and habits'), h('p', { class: 'dim' }, 'What the CA verifies about requests, and does in its answers. Turned off one by one they make a CA with just one weakness.'), h('div', { class: 'bar' }, search), checks)
  const filter = () => { for (const c of checks.children) c.hidden = !c.textContent.toLowerCase().includes(search.value.toLowerCase()) }
  search.addEventListener('input', filter)

  return async () => {
    const [now, all, keys] = await Promise.all([get('/policy'), get('/checks'), get('/eab')])
    const state = JSON.stringify(now)
    if (shown.state !== state) { shown.state = state; shown.replaceChildren(pre(now)) }
    keyed(eab, keys, k => k.kid, k => h('li', { class: 'card row' }, h('code', { class: 'grow' }, `${k.kid}  ${k.key}`), k.account && h('span', { class: 'badge' }, 'used'),
      h('button', { type: 'button', class: 'danger', onclick: () => act('DELETE', '/eab/' + encodeURIComponent(k.kid)) }, 'Forget')))
    keyed(checks, all, c => c.name, c => h('div', { class: 'fault' },
      h('button', { type: 'button', class: 'switch on-good', role: 'switch', 'aria-checked': String(c.on), 'aria-label': c.name, onclick: () => act('PUT', '/checks/' + c.name, { on: !c.on }) }),
      h('div', {}, h('p', { class: 'name' }, c.name), h('p', {}, c.doc), h('p', { class: 'dim' }, c.section)), h('span', { class: 'dim' }, c.problem)))
    filter()
  }
}
