// Certificates: what was issued, until when, and what is said about renewal.

import { badge, h, keyed, last, names, pre, when } from './dom.js'
import { act, get } from './api.js'

const reasons = { 0: 'unspecified', 1: 'keyCompromise', 3: 'affiliationChanged', 4: 'superseded', 5: 'cessationOfOperation', 9: 'privilegeWithdrawn' }

export function certificates(main) {
  const body = h('tbody'), empty = h('p', { class: 'empty' }, 'Nothing was issued yet.')
  main.append(empty, h('div', { class: 'scroll' }, h('table', { class: 'stack' },
    h('thead', {}, h('tr', {}, ['Names', 'Serial', 'Valid', 'Renewal', ''].map(t => h('th', { scope: 'col' }, t)))), body)))
  return async () => {
    const [list, clock] = await Promise.all([get('/certificates?limit=200'), get('/clock')])
    const all = list.reverse().map(c => ({ ...c, expired: Date.parse(clock.now) > Date.parse(c.notAfter) }))
    empty.hidden = all.length > 0
    body.closest('table').hidden = !all.length
    keyed(body, all, c => c.serial, row)
  }
}

function row(c) {
  const revoked = c.revoked && !c.revoked.startsWith('0001')
  const status = revoked ? 'revoked' : c.expired ? 'expired' : 'valid'
  const path = '/certificates/' + c.serial
  const reason = h('select', { 'aria-label': 'Reason' }, Object.entries(reasons).map(([n, name]) => h('option', { value: n }, name)))
  const at = days => new Date(Date.parse(c.notBefore) + days * 864e5).toISOString()
  return h('tr', {},
    h('td', {}, names(c.identifiers), ' ', badge(status)),
    h('td', {}, h('code', {}, c.serial), h('br'), h('span', { class: 'dim' }, 'order ', h('a', { href: '#orders/' + last(c.order) }, last(c.order)))),
    h('td', { class: 'date' }, when(c.notBefore), h('br'), when(c.notAfter)),
    h('td', { class: 'date' }, c.renewal.start ? [when(c.renewal.start), h('br'), when(c.renewal.end)] : h('span', { class: 'dim' }, 'none'), c.renewal.byHand && h('span', { class: 'badge' }, 'by hand')),
    h('td', {}, h('div', { class: 'row' },
      h('button', { type: 'button', onclick: () => act('PUT', path + '/renewal-info', { start: at(-2), end: at(-1) }, 'The CA suggests to renew it at once.') }, 'Renew now'),
      c.renewal.byHand && h('button', { type: 'button', onclick: () => act('DELETE', path + '/renewal-info', undefined, 'The CA decides again.') }, 'Let the CA decide'),
      !revoked && [reason, h('button', { type: 'button', class: 'danger', onclick: () => act('POST', path + '/revoke', { reason: Number(reason.value) }, 'Revoked.') }, 'Revoke')]),
      h('details', {}, h('summary', {}, 'Renewal window'), window(c, path)),
      h('details', {}, h('summary', {}, 'PEM'), pre(c.pem))))
}

// window sets when the CA suggests to renew; times are in UTC, as they are shown.
function window(c, path) {
  const time = (name, label, value) => h('label', {}, label, ' ', h('input', { name, type: 'datetime-local', step: 1, required: true, value: (value ?? c.notAfter).slice(0, 19) }))
  const utc = input => new Date(input.value + 'Z').toISOString()
  return h('form', {
    onsubmit: event => {
      event.preventDefault()
      const { start, end } = event.target.elements
      act('PUT', path + '/renewal-info', { start: utc(start), end: utc(end) }, 'The CA suggests this window.')
    },
  }, time('start', 'from', c.renewal.start), ' ', time('end', 'to', c.renewal.end), ' ', h('button', {}, 'Suggest'))
}
