// An order's exchanges as a sequence diagram.

import { h, last, svg } from './dom.js'

const step = 46, note = 26

// On a phone the notes stand between the lanes, elsewhere beside them.
const wide = { left: 70, right: 520, width: 850, notes: 530 }, narrow = { left: 36, right: 330, width: 366, notes: 48 }

export function diagram({ exchanges, changes }) {
  if (!exchanges.length) return h('p', { class: 'dim' }, 'Its exchanges are not kept any more.')
  const rows = merge(exchanges, changes)
  const place = innerWidth < 800 ? narrow : wide, { left, right, width } = place
  let y = 50
  const drawn = rows.map(row => {
    const at = y
    y += row.method ? step : note
    return row.method ? arrow(row, at, place) : state(row, at, place)
  })
  const head = x => text => svg('text', { x, y: 20, 'text-anchor': 'middle', class: 'head' }, text)
  return h('div', { class: 'diagram', tabindex: 0, role: 'region', 'aria-label': 'Sequence diagram' },
    svg('svg', { viewBox: `0 0 ${width} ${y}`, role: 'list' },
      head(left)('client'), head(right)('CA'),
      svg('path', { class: 'lane', d: `M${left} 30V${y - 6}M${right} 30V${y - 6}` }), drawn))
}

// merge puts each change behind the exchange that it came by, or at its time.
function merge(exchanges, changes) {
  const rows = exchanges.map(x => ({ ...x, time: x.start }))
  const known = new Set(exchanges.map(x => x.id)), own = new Map()
  for (const c of changes) {
    if (known.has(c.exchange)) own.set(c.exchange, [...own.get(c.exchange) ?? [], c])
    else rows.push(c)
  }
  rows.sort((a, b) => a.time.localeCompare(b.time))
  return rows.flatMap(row => [row, ...own.get(row.id) ?? []])
}

function arrow(x, y, { left, right, notes }) {
  const bad = x.status >= 400 || x.wire
  const answer = x.wire ? x.wire : `${x.status}${x.problem ? ' ' + x.problem : ''}`
  return svg('g', { role: 'listitem' },
    svg('a', { href: '#transcript/' + x.id },
      svg('text', { x: left + 10, y: y - 5 }, `${x.id}  ${x.endpoint}`),
      svg('text', { x: right - 12, y: y + 14, 'text-anchor': 'end', class: bad ? 'bad' : 'good' }, answer)),
    svg('path', { class: 'arrow', d: `M${left} ${y}H${right}m-7-4 7 4-7 4` }),
    svg('path', { class: 'arrow answer', d: `M${right} ${y + 20}H${left}m7-4-7 4 7 4` }),
    x.rules?.length && svg('text', { x: notes + 2, y: notes > right ? y + 4 : y + 14, class: 'fault' }, '⚡ ' + x.rules.join(', ')))
}

function state(c, y, { right, width, notes }) {
  const text = `${c.kind} ${last(c.url).slice(0, 14)}: ${c.from ? c.from + ' → ' : ''}${c.to}`
  return svg('g', { class: 'note', role: 'listitem' },
    svg('title', {}, c.detail ?? text),
    svg('rect', { x: notes, y: y - 14, width: (notes > right ? width : right) - notes - 6, height: 20, rx: 4 }),
    svg('text', { x: notes + 6, y, class: ['invalid', 'revoked', 'deactivated'].includes(c.to) ? 'bad' : c.to === 'valid' ? 'good' : '' }, text.length > 38 ? text.slice(0, 37) + '…' : text))
}
