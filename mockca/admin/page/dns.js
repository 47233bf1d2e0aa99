// What the CA's resolver hears, and who asked.

import { h, keyed, say } from './dom.js'
import { act, get } from './api.js'

export function dns(main) {
  const records = h('ul', { class: 'cards' }), defaults = h('form', { class: 'bar' }), queries = h('pre', { tabindex: 0, 'aria-label': 'Latest questions' })
  const line = h('input', { name: 'record', size: 48, placeholder: 'www.example. 60 IN A 192.0.2.1', 'aria-label': 'Record', required: true })
  const add = h('form', { class: 'bar' }, line, h('button', {}, 'Add'))
  add.addEventListener('submit', async event => {
    event.preventDefault()
    if (await act('POST', '/dns/records', { add: [line.value] }, 'Added.') !== undefined) line.value = ''
  })
  const v4 = h('input', { name: 'ipv4', size: 15 }), v6 = h('input', { name: 'ipv6', size: 24 })
  defaults.append(h('label', {}, 'IPv4 ', v4), h('label', {}, 'IPv6 ', v6), h('button', {}, 'Set'))
  defaults.addEventListener('submit', event => { event.preventDefault(); act('PUT', '/dns/defaults', { ipv4: v4.value, ipv6: v6.value }, 'Names without addresses have these.') })
  main.append(h('h2', {}, 'Names without records'), defaults, h('h2', {}, 'Records'), add, records, h('h2', {}, 'Latest questions'), queries)
  let filled = false
  return async () => {
    let state
    try {
      state = await get('/dns')
    } catch {
      if (!filled) { filled = true; main.replaceChildren(h('p', { class: 'empty' }, 'This CA asks a name server that is not managed here.')) }
      return
    }
    if (!filled) { filled = true; v4.value = state.ipv4; v6.value = state.ipv6 }
    keyed(records, state.records, r => r, r => {
      const [name, , , type] = r.split(/\s+/)
      return h('li', { class: 'card row' }, h('code', { class: 'grow' }, r), h('button', { type: 'button', onclick: () => act('DELETE', `/dns/records/${encodeURIComponent(name)}?type=${type}`).catch(e => say(e.message)) }, 'Remove'))
    })
    if (!state.records.length) records.replaceChildren(h('li', { class: 'dim' }, 'None.'))
    const asked = (await get('/dns/queries?limit=50')).reverse()
    const text = asked.map(q => [q.time?.slice(11, 19), q.name ?? q.Name, q.type ?? q.Type, q.rcode ?? q.Rcode ?? ''].join('  ')).join('\n')
    if (queries.textContent !== text) queries.textContent = text || 'None.'
  }
}
