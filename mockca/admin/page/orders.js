// Orders, and each one's exchanges as a sequence diagram, while it runs.

import { badge, fill, h, keyed, last, names, when } from './dom.js'
import { get } from './api.js'
import { diagram } from './diagram.js'

export function orders(main, [selected]) {
  const list = h('ul', { class: 'cards' }), side = h('section', { 'aria-label': 'Order' })
  const empty = h('p', { class: 'empty' }, 'No orders yet. Point a client at the directory above.')
  main.append(empty, h('div', { class: 'split' }, list, side))

  const card = o => h('li', {}, h('button', { type: 'button', class: 'card', 'aria-pressed': String(last(o.url) === selected), onclick: () => { location.hash = '#orders/' + last(o.url) } },
    h('span', { class: 'row' }, h('span', { class: 'grow' }, names(o.identifiers)), badge(o.status)),
    h('span', { class: 'dim' }, `${when(o.created)} · account ${last(o.account)}`)))

  return async () => {
    const all = (await get('/orders?limit=100')).reverse()
    empty.hidden = all.length > 0
    selected ??= all.length ? last(all[0].url) : undefined
    keyed(list, all, o => last(o.url) + (last(o.url) === selected), card)
    if (!selected) return
    const [order, steps] = await Promise.all([get('/orders/' + selected), get(`/orders/${selected}/steps`)])
    const state = JSON.stringify([order, steps.exchanges.length, steps.changes.length])
    if (side.state === state) return
    side.state = state
    fill(side,
      h('p', { class: 'row' }, h('strong', { class: 'grow' }, names(order.identifiers)), badge(order.status)),
      h('p', { class: 'dim' }, `Created ${when(order.created)}, expires ${when(order.expires)}`, order.profile && ` · profile ${order.profile}`, order.replaces && ` · replaces ${order.replaces}`),
      order.error && h('p', { class: 'invalid' }, order.error.type?.split(':').pop() + ': ' + order.error.detail),
      diagram(steps),
      h('p', {}, h('a', { href: `/api/orders/${selected}/diagram` }, 'as Mermaid'), ' · ', h('a', { href: `#transcript//${selected}` }, 'in the transcript')))
  }
}
