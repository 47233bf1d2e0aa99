// The frame: header, clock and views. A view is a function that fills the main
// part and returns what has it look again.

import { h, say } from './dom.js'
import { act, changed, get, listen, onChange } from './api.js'
import { orders } from './orders.js'
import { faults } from './faults.js'
import { certificates } from './certificates.js'
import { accounts } from './accounts.js'
import { transcript } from './transcript.js'
import { dns } from './dns.js'
import { policy } from './policy.js'

const views = {
  orders: { title: 'Orders', show: orders, count: s => s.orders },
  faults: { title: 'Faults', show: faults, count: s => s.rules },
  certificates: { title: 'Certificates', show: certificates, count: s => s.certificates },
  accounts: { title: 'Accounts', show: accounts, count: s => s.accounts },
  transcript: { title: 'Transcript', show: transcript, count: s => s.exchanges },
  dns: { title: 'DNS', show: dns },
  policy: { title: 'Policy', show: policy },
}

const $ = id => document.getElementById(id)
let look = async () => {}, leave

function open() {
  const [name, ...rest] = location.hash.slice(1).split('/')
  const view = views[name] ?? views.orders
  for (const link of $('tabs').querySelectorAll('a')) {
    if (link.hash === '#' + (views[name] ? name : 'orders')) link.setAttribute('aria-current', 'page')
    else link.removeAttribute('aria-current')
  }
  leave?.abort()
  leave = new AbortController()
  $('main').replaceChildren(h('h1', {}, view.title))
  document.title = view.title + ' · acme-e2e'
  look = view.show($('main'), rest.map(decodeURIComponent), leave.signal)
  refresh()
}

let skew = 0

async function refresh() {
  try {
    const [status] = await Promise.all([get('/status'), look()])
    $('directory').textContent = status.directory
    $('personality').textContent = status.personality
    skew = Date.parse(status.clock.now) - Date.now()
    $('ahead').textContent = Math.abs(skew) > 2000 ? (skew > 0 ? status.clock.ahead + ' ahead' : status.clock.ahead.slice(1) + ' behind') : ''
    tick()
    for (const [name, view] of Object.entries(views)) {
      if (view.count) document.querySelector(`#tabs a[href="#${name}"] .count`).textContent = view.count(status) || ''
    }
  } catch (error) {
    say(error.message)
  }
}

function tick() {
  $('now').textContent = new Date(Date.now() + skew).toISOString().slice(0, 19).replace('T', ' ') + ' UTC'
}

$('tabs').append(...Object.entries(views).map(([name, view]) => h('li', {}, h('a', { href: '#' + name }, view.title, ' ', h('span', { class: 'count' })))))

$('copy').addEventListener('click', () => navigator.clipboard.writeText($('directory').textContent).then(() => say('The directory URL is in the clipboard.', true)))

const advance = text => act('POST', '/clock', { advance: text }, 'The clock moved by ' + text + '.')

$('clock').addEventListener('click', event => {
  const button = event.target.closest('button')
  if (button?.dataset.advance) advance(button.dataset.advance)
  if (button && 'reset' in button.dataset) act('POST', '/clock', { reset: true }, 'The clock shows real time.')
})
$('clock').addEventListener('submit', event => {
  event.preventDefault()
  const form = new FormData(event.target)
  if (form.get('advance')) advance(form.get('advance'))
  else if (form.get('set')) act('POST', '/clock', { set: new Date(form.get('set') + 'Z').toISOString() }, 'The clock was set.')
})

addEventListener('hashchange', () => { open(); $('main').focus() })
addEventListener('keydown', event => {
  const search = document.querySelector('main input[type=search]')
  if (event.key === '/' && search && !event.target.closest('input, textarea, select')) { event.preventDefault(); search.focus() }
})
onChange(refresh)
setInterval(tick, 1000)
setInterval(changed, 5000) // what time alone changes
open()
listen(up => { $('live').textContent = up ? '● live' : '○ not connected'; $('live').classList.toggle('off', !up) })
