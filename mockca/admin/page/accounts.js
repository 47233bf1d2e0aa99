// Accounts, and what a CA's people may do to them.

import { badge, h, keyed, last, when } from './dom.js'
import { act, get } from './api.js'

export function accounts(main) {
  const body = h('tbody'), empty = h('p', { class: 'empty' }, 'No accounts yet.')
  main.append(empty, h('div', { class: 'scroll' }, h('table', { class: 'stack' },
    h('thead', {}, h('tr', {}, ['Account', 'Contact', 'Created', 'Orders', ''].map(t => h('th', { scope: 'col' }, t)))), body)))
  return async () => {
    const all = (await get('/accounts?limit=200')).reverse()
    empty.hidden = all.length > 0
    body.closest('table').hidden = !all.length
    keyed(body, all, a => a.url, row)
  }
}

function row(a) {
  const path = '/accounts/' + last(a.url)
  const become = (status, label) => a.status !== status && h('button', { type: 'button', class: status === 'valid' ? '' : 'danger', onclick: () => act('PATCH', path, { status }, `The account is ${status}.`) }, label)
  return h('tr', {},
    h('td', {}, h('code', {}, last(a.url)), ' ', badge(a.status), h('br'), h('span', { class: 'dim mono' }, a.thumbprint)),
    h('td', {}, (a.contact ?? []).join(', '), a.eab && h('span', { class: 'badge' }, 'bound to ' + a.eab)),
    h('td', {}, when(a.created)),
    h('td', {}, String(a.orders?.length ?? 0)),
    h('td', {}, h('div', { class: 'row' }, become('valid', 'Make valid'), become('deactivated', 'Deactivate'), become('revoked', 'Revoke'),
      h('button', { type: 'button', class: 'danger', onclick: () => act('DELETE', path, undefined, 'The CA has never heard of it.') }, 'Forget'))))
}
