package admin_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/acme-e2e/acme-e2e/mockca"
)

// TestPage uses the page in a real browser, by mouse and by keyboard.
func TestPageInABrowser(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	b := startBrowser(t, w.server.URL+"/", 1280, 900)
	b.until(`document.querySelector('.empty').innerText.includes('No orders yet')`)
	b.until(`document.getElementById('live').innerText.includes('live')`)

	// An order appears as it runs, with its sequence diagram.
	w.issue("a.example.org", "b.example.org")
	b.until(`document.querySelector('.card .valid') && document.querySelectorAll('svg a').length >= 5`)
	b.until(`document.querySelector('svg').textContent.includes('finalize')`)
	b.until(`document.querySelector('#tabs [href="#orders"] .count').innerText === '1'`)
	b.show("orders")

	// A fault is switched on by keyboard, hits, and is switched off.
	b.eval(`location.hash = '#faults'`)
	b.until(`document.querySelectorAll('[role=switch]').length > 100`)
	b.key("/")
	b.write("bad-nonce")
	b.until(`document.querySelector('[aria-label="bad-nonce"]').getBoundingClientRect().height > 0 && !document.querySelector('[aria-label="drip"]').getBoundingClientRect().height`)
	b.eval(`document.querySelector('[aria-label="bad-nonce"]').focus()`)
	b.key(" ")
	b.until(`document.querySelector('[aria-label="bad-nonce"]').ariaChecked === 'true'`)
	require.Len(t, w.ca.Rules(), 1)
	_, err := w.acme.GetReg(t.Context(), "")
	_ = err // it fails, or the client tried again: the fault has hit either way
	b.until(`/[1-9]\d* hits/.test(document.querySelector('[aria-label="bad-nonce"]').parentNode.querySelector('.hits').innerText)`)
	b.show("faults")
	b.key("Enter")
	b.until(`document.querySelector('[aria-label="bad-nonce"]').ariaChecked === 'false'`)
	require.Empty(t, w.ca.Rules())

	// Parameters and conditions.
	b.eval(`(() => { const s = document.querySelector('[aria-label="latency"]').parentNode; s.querySelector('[name=params]').value = '5ms'; s.querySelector('[name=times]').value = '2'; s.querySelector('[name=endpoint]').value = 'newOrder'; s.querySelector('[role=switch]').click() })()`)
	b.until(`document.querySelector('.cards code').innerText === 'latency:5ms'`)
	rule := w.ca.Rules()[0].Rule
	require.Equal(t, 2, rule.Times)
	require.Equal(t, mockca.NewOrder, rule.When.Endpoint)

	// The clock is moved.
	before := w.ca.Clock().Now()
	b.eval(`document.querySelector('[data-advance="720h"]').click()`)
	b.until(`document.getElementById('ahead').innerText.includes('720h')`)
	require.WithinDuration(t, before.Add(720*time.Hour), w.ca.Clock().Now(), time.Minute)

	// Certificates are revoked.
	b.eval(`location.hash = '#certificates'`)
	b.until(`document.querySelectorAll('tbody tr').length === 1`)
	b.show("certificates")
	b.eval(`(() => { const f = document.querySelector('tbody form'); f.start.value = '2031-02-03T04:05:06'; f.end.value = '2031-02-04T04:05:06'; f.requestSubmit() })()`)
	b.until(`document.querySelector('tbody').innerText.includes('by hand')`)
	renewal, byHand, _ := w.ca.RenewalInfo(w.ca.Certificates()[0].Serial)
	require.True(t, byHand)
	require.Equal(t, "2031-02-03T04:05:06Z", renewal.Start.UTC().Format(time.RFC3339), "what is entered is in UTC")
	w.ca.Clock().Advance(90 * 24 * time.Hour) // past its end
	b.eval(`document.querySelector('[data-advance="1h"]').click()`)
	b.until(`document.querySelector('tbody .expired')`)
	w.ca.Clock().Advance(-90 * 24 * time.Hour)
	b.eval(`document.querySelector('button.danger').click()`)
	b.until(`document.querySelector('tbody .revoked')`)
	require.False(t, w.ca.Certificates()[0].Revoked.IsZero())

	// The transcript is searched, and shows what was signed.
	b.eval(`location.hash = '#transcript'`)
	b.until(`document.querySelectorAll('.exchange').length > 5`)
	b.key("/")
	b.write("b.example.org")
	b.until(`document.querySelectorAll('.exchange').length > 0 && [...document.querySelectorAll('.exchange')].some(e => e.innerText.includes('newOrder')) && ![...document.querySelectorAll('.exchange')].some(e => e.innerText.includes('newNonce'))`)
	b.eval(`[...document.querySelectorAll('.exchange')].find(e => e.innerText.includes('newOrder')).open = true`)
	b.until(`document.querySelector('.exchange[open] pre').innerText.includes('"ES256"')`)
	b.show("transcript")

	// Every view, and none of them says anything to the console.
	for _, view := range []string{"accounts", "dns", "policy"} {
		b.eval(`location.hash = '#` + view + `'`)
		b.until(`document.querySelector('#tabs [href="#` + view + `"]').ariaCurrent === 'page' && document.querySelector('main').innerText.length > 60`)
		b.show(view)
	}
	b.healthy()
}

// TestPageFitsAPhone: nothing is wider than the screen.
func TestPageFitsAPhone(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	w.issue("a.rather-long-name-of-a-host.example.org", "b.example.org")
	w.ca.Inject(mockca.BadNonce(), mockca.When{Probability: 0.5})
	b := startBrowser(t, w.server.URL+"/", 390, 844)
	for view, ready := range map[string]string{
		"orders": "svg a", "faults": "[role=switch]", "certificates": "tbody tr", "accounts": "tbody tr", "transcript": ".exchange", "dns": "form", "policy": "[role=switch]",
	} {
		b.eval(`location.hash = '#` + view + `'`)
		b.until(`document.querySelector('main ` + ready + `')`)
		b.eval(`document.querySelectorAll('tbody details').forEach(d => d.open = true)`)
		require.Empty(t, b.eval(`[...document.querySelectorAll('body *')].filter(e => !e.closest('.scroll, .diagram, #tabs, .skip, details:not([open]) > :not(summary)') && e.getBoundingClientRect().right > 391).map(e => e.outerHTML.slice(0, 80)).slice(0, 5)`), view)
		require.LessOrEqual(t, b.eval(`document.documentElement.scrollWidth`), 390.0, view)
		b.show("phone-" + view)
	}
	b.healthy()
}
