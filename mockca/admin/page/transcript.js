// Every exchange, with its JWS decoded, as it happens.

import { h, last, pre, when } from './dom.js'
import { act, get, onExchange } from './api.js'

const most = 300

export function transcript(main, [selected, order], signal) {
  const search = h('input', { type: 'search', placeholder: 'anything in it  ( / )', 'aria-label': 'Search the transcript' })
  const endpoint = h('select', { 'aria-label': 'Endpoint' }, h('option', { value: '' }, 'all endpoints'))
  const errors = h('input', { type: 'checkbox' })
  const list = h('div'), empty = h('p', { class: 'empty' }, 'Nothing to show.')
  main.append(h('div', { class: 'bar' }, search, endpoint, h('label', {}, errors, ' only errors and faults'), h('span', { class: 'grow' }),
    ['jsonl', 'har', 'mmd'].map(format => h('a', { href: '/api/transcript.' + format, download: 'transcript.' + format }, format)),
    h('button', { type: 'button', class: 'danger', onclick: async () => { await act('DELETE', '/transcript', undefined, 'Forgotten.'); fetchAll() } }, 'Forget all')),
  ...order ? [h('p', { class: 'dim' }, `Only what belongs to order ${order}. `, h('a', { href: '#transcript' }, 'Show all'))] : [], empty, list)

  const wanted = x => (!errors.checked || x.status >= 400 || x.rules?.length || x.wire) && (!endpoint.value || x.endpoint === endpoint.value)
  const add = x => list.prepend(row(x, String(x.id) === selected))

  async function fetchAll() {
    const query = new URLSearchParams({ limit: most })
    if (search.value) query.set('text', search.value)
    if (endpoint.value) query.set('endpoint', endpoint.value)
    if (order) query.set('order', order)
    const all = await get('/transcript?' + query)
    if (selected && !all.some(x => String(x.id) === selected)) all.unshift(await get('/transcript/' + selected))
    list.replaceChildren()
    all.filter(wanted).forEach(add)
    empty.hidden = list.children.length > 0
    list.querySelector('[open]')?.scrollIntoView({ block: 'center' })
  }

  let timer
  search.addEventListener('input', () => { clearTimeout(timer); timer = setTimeout(fetchAll, 200) })
  endpoint.addEventListener('input', fetchAll)
  errors.addEventListener('input', fetchAll)
  get('/endpoints').then(all => endpoint.append(...all.map(e => h('option', {}, e))))
  const stop = onExchange(x => {
    if (order || !wanted(x) || search.value && !JSON.stringify(x).toLowerCase().includes(search.value.toLowerCase())) return
    if (list.querySelector(`[data-id="${x.id}"]`)) return
    add(x)
    empty.hidden = true
    while (list.children.length > most) list.lastChild.remove()
  })
  signal.addEventListener('abort', stop)
  fetchAll()
  return async () => {}
}

function row(x, open) {
  const path = new URL(x.url, location).pathname
  const details = h('details', { class: 'exchange', 'data-id': x.id, open },
    h('summary', {}, h('span', { class: 'dim' }, '#' + x.id), h('span', { class: 'time dim' }, when(x.start).slice(11)), h('span', { class: 's' + Math.floor(x.status / 100) }, x.wire || x.status),
      h('span', {}, x.endpoint), h('span', { class: 'path mono', title: x.url }, x.method + ' ' + path), h('span', {}, x.rules?.length ? h('span', { class: 'badge invalid' }, '⚡ ' + x.rules.join(', ')) : '', x.problem && h('span', { class: 'badge invalid' }, x.problem))))
  const fill = () => { if (details.open && details.children.length === 1) details.append(body(x)) }
  details.addEventListener('toggle', fill)
  fill()
  return details
}

const headers = all => Object.entries(all ?? {}).flatMap(([name, values]) => values.map(v => `${name}: ${v}`)).join('\n')

function body(x) {
  const part = (title, value) => value !== undefined && value !== '' && value !== null && [h('h2', {}, title), pre(value)]
  return h('div', { class: 'body' },
    h('div', {}, h('p', { class: 'mono' }, `${x.method} ${x.url}`), h('p', { class: 'dim' }, `${x.proto} · ${(x.duration / 1e6).toFixed(1)} ms · ${when(x.start)}`, x.account && ` · account ${last(x.account)}`),
      part('Protected header', x.protected), part('Payload', x.payload), !x.protected && part('Body', x.requestBody ?? x.requestBodyBase64), part('Request header', headers(x.requestHeader))),
    h('div', {}, h('p', {}, h('strong', {}, x.wire || x.status), x.check && [' refused by the check ', h('code', {}, x.check)]),
      part('Answer', x.responseBody ?? x.responseBodyBase64), part('Response header', headers(x.responseHeader)),
      x.changes?.length && part('What it changed', x.changes.map(c => `${c.kind} ${last(c.url)}: ${c.from ? c.from + ' → ' : ''}${c.to}${c.detail ? ' (' + c.detail + ')' : ''}`).join('\n'))))
}
