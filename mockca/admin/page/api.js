// What the page asks of the management, and what it hears by itself.

import { say } from './dom.js'

export async function call(method, path, body) {
  const answer = await fetch('/api' + path, { method, headers: body === undefined ? {} : { 'Content-Type': 'application/json' }, body: body === undefined ? undefined : JSON.stringify(body) })
  const text = await answer.text()
  const value = text && answer.headers.get('Content-Type')?.includes('json') ? JSON.parse(text) : text
  if (!answer.ok) throw new Error(value.detail ?? `${method} /api${path}: ${answer.status}`)
  return value
}

export const get = path => call('GET', path)

// act does what somebody wants, says what is in the way of it, and looks again.
export async function act(method, path, body, done) {
  try {
    const value = await call(method, path, body)
    if (done) say(done, true)
    changed()
    return value
  } catch (error) {
    say(error.message)
  }
}

const listeners = new Set()
let pending = 0

// changed has everything that is shown look again, at most four times a second.
export function changed() {
  pending ||= setTimeout(() => { pending = 0; for (const f of listeners) f() }, 250)
}

export const onChange = f => listeners.add(f)

const followers = new Set()

export const onExchange = f => { followers.add(f); return () => followers.delete(f) }

export function listen(state) {
  const source = new EventSource('/api/events')
  source.addEventListener('open', () => { state(true); changed() })
  source.addEventListener('error', () => state(false))
  source.addEventListener('change', changed)
  source.addEventListener('exchange', event => {
    const exchange = JSON.parse(event.data)
    for (const f of followers) f(exchange)
    changed()
  })
}
