package pebbleharness_test

import (
	"context"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"os"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/acme-e2e/acme-e2e/client"
	"github.com/acme-e2e/acme-e2e/pebbleharness"
)

func TestEachStartHasItsOwnIdentity(t *testing.T) {
	t.Parallel()
	a, b := pebbleharness.New(t, pebbleharness.Options{}), pebbleharness.New(t, pebbleharness.Options{})
	require.NotEqual(t, a.RootPEM(), b.RootPEM())
	require.NotEqual(t, a.IssuingRootsPEM(), b.IssuingRootsPEM())
	require.NotEqual(t, [2]int{a.HTTPPort, a.TLSPort}, [2]int{b.HTTPPort, b.TLSPort})

	response, err := a.HTTPClient().Get(a.DirectoryURL())
	require.NoError(t, err)
	require.NoError(t, response.Body.Close())
	_, err = b.HTTPClient().Get(a.DirectoryURL())
	require.ErrorContains(t, err, "certificate", "trust in one harness is not trust in another")

	block, rest := pem.Decode(a.RootPEM())
	require.Empty(t, rest)
	root, err := x509.ParseCertificate(block.Bytes)
	require.NoError(t, err)
	require.True(t, root.IsCA)
	require.Contains(t, root.Subject.CommonName, "testing")
}

func TestManagementInterface(t *testing.T) {
	t.Parallel()
	h := pebbleharness.New(t, pebbleharness.Options{})
	response, err := h.HTTPClient().Get(h.ManagementURL() + "/roots/0")
	require.NoError(t, err)
	defer func() { _ = response.Body.Close() }()
	require.Equal(t, http.StatusOK, response.StatusCode)
}

func TestTakenPortIsAnErrorThatNamesIt(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer func() { _ = l.Close() }()
	for _, options := range []pebbleharness.Options{{Address: l.Addr().String()}, {ManagementAddress: l.Addr().String()}} {
		_, err = pebbleharness.Start(t.Context(), options)
		require.ErrorContains(t, err, l.Addr().String())
	}
}

func TestEnvironmentIsPutBack(t *testing.T) {
	t.Setenv("PEBBLE_WFE_NONCEREJECT", "17")
	require.NoError(t, os.Unsetenv("PEBBLE_AUTHZREUSE"))
	pebbleharness.New(t, pebbleharness.Options{NonceReject: 50})
	require.Equal(t, "17", os.Getenv("PEBBLE_WFE_NONCEREJECT"))
	_, set := os.LookupEnv("PEBBLE_AUTHZREUSE")
	require.False(t, set)
}

func TestEndOfContextStopsIt(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	h, err := pebbleharness.Start(ctx, pebbleharness.Options{})
	require.NoError(t, err)
	cancel()
	h.Close() // waits for what the end of the context began
	_, err = net.Dial("tcp", strings.TrimSuffix(strings.TrimPrefix(h.DirectoryURL(), "https://"), "/dir"))
	require.Error(t, err)
	h.Close()
}

// What remains after Close is what the package's documentation says: one
// goroutine of Pebble's that nobody can stop.
func TestCloseLeavesOnlyWhatPebbleDoesNotStop(t *testing.T) {
	const harnesses = 20
	for range harnesses {
		h, err := pebbleharness.Start(t.Context(), pebbleharness.Options{})
		require.NoError(t, err)
		issues(t, h)
		h.Close()
	}
	require.Eventually(t, func() bool {
		stacks := make([]byte, 4<<20)
		stacks = stacks[:runtime.Stack(stacks, true)]
		for stack := range strings.SplitSeq(string(stacks), "\n\n") {
			ours := strings.Contains(stack, "pebbleharness.") && !strings.Contains(stack, "pebbleharness_test.")
			if ours && !strings.Contains(stack, "va.VAImpl.processTasks") {
				t.Logf("still running:\n%s", stack)
				return false
			}
		}
		return true
	}, 10*time.Second, 20*time.Millisecond)
}

func TestLogGoesToTheLogger(t *testing.T) {
	t.Parallel()
	var log lines
	h := pebbleharness.New(t, pebbleharness.Options{Logger: slog.New(slog.NewTextHandler(&log, nil))})
	issues(t, h)
	require.Contains(t, log.String(), "Issued certificate serial")
}

type lines struct {
	mu   sync.Mutex
	text strings.Builder
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

func TestStatusBySerial(t *testing.T) {
	t.Parallel()
	h := pebbleharness.New(t, pebbleharness.Options{})
	p := newPlayer(t, h, client.AccountOptions{})
	cert, err := p.obtain(t.Context(), nil, "a.example")
	require.NoError(t, err)

	status, ok := h.Status(cert.Leaf.SerialNumber)
	require.True(t, ok)
	require.False(t, status.Revoked)
	require.Equal(t, cert.Leaf.Raw, status.Certificate.Raw)

	require.NoError(t, p.account.Revoke(t.Context(), cert.Chain[0], client.Superseded))
	status, ok = h.Status(cert.Leaf.SerialNumber)
	require.True(t, ok)
	require.True(t, status.Revoked)
	require.EqualValues(t, client.Superseded, *status.Reason)
	require.WithinDuration(t, time.Now(), status.RevokedAt, time.Minute)

	_, ok = h.Status(new(big.Int).Lsh(cert.Leaf.SerialNumber, 70))
	require.False(t, ok)
}

func TestRenewalInformationIsSetFromGo(t *testing.T) {
	t.Parallel()
	h := pebbleharness.New(t, pebbleharness.Options{})
	p := newPlayer(t, h, client.AccountOptions{})
	cert, err := p.obtain(t.Context(), nil, "a.example")
	require.NoError(t, err)

	start := time.Now().Add(-2 * time.Hour).Truncate(time.Second)
	require.NoError(t, h.SetRenewalInfo(cert.Leaf, pebbleharness.RenewalInfo{Start: start, End: start.Add(time.Hour), ExplanationURL: "https://ca.example/why"}))
	info, err := p.client.RenewalInfo(t.Context(), cert.Leaf)
	require.NoError(t, err)
	require.True(t, start.Equal(info.SuggestedWindow.Start), "%v", info.SuggestedWindow)
	require.True(t, start.Add(time.Hour).Equal(info.SuggestedWindow.End))
	require.Equal(t, "https://ca.example/why", info.ExplanationURL)

	require.NoError(t, h.SetRenewalInfoBody(cert.Leaf, "{"))
	_, err = p.client.RenewalInfo(t.Context(), cert.Leaf)
	require.Error(t, err)

	require.NoError(t, h.SetRenewalInfoBody(cert.Leaf, ""))
	info, err = p.client.RenewalInfo(t.Context(), cert.Leaf)
	require.NoError(t, err)
	require.True(t, info.SuggestedWindow.Start.After(time.Now()))

	other := pebbleharness.New(t, pebbleharness.Options{})
	require.ErrorContains(t, other.SetRenewalInfo(cert.Leaf, pebbleharness.RenewalInfo{}), "not found")
}

// The race detector sees it when Pebble reads renewal information, and whether
// a certificate was replaced, while they are written.
func TestRenewalsAtOnce(t *testing.T) {
	t.Parallel()
	h := pebbleharness.New(t, pebbleharness.Options{AlwaysValid: true})
	p := newPlayer(t, h, client.AccountOptions{})
	p.solvers[0].Solver = nobody{}
	cert, err := p.obtain(t.Context(), nil, "a.example")
	require.NoError(t, err)
	id, err := client.CertID(cert.Leaf)
	require.NoError(t, err)
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			info := pebbleharness.RenewalInfo{Start: time.Now(), End: time.Now().Add(time.Hour)}
			if err := h.SetRenewalInfo(cert.Leaf, info); err != nil {
				t.Error(err)
			}
			if _, err := p.client.RenewalInfo(t.Context(), cert.Leaf); err != nil {
				t.Error(err)
			}
			names := []string{"a.example", fmt.Sprintf("%d.example", i)}
			_, _ = p.obtain(t.Context(), func(r *client.Request) { r.Replaces = id }, names...) // one may replace it
		})
	}
	all.Wait()
}

// One serial number in 256 has a leading zero in DER, which Pebble then does
// not find when the certificate is to be replaced.
func TestEveryCertificateCanBeReplaced(t *testing.T) {
	t.Parallel()
	h := pebbleharness.New(t, pebbleharness.Options{AlwaysValid: true})
	p := newPlayer(t, h, client.AccountOptions{})
	p.solvers[0].Solver = nobody{}
	for range 10_000 {
		cert, err := p.obtain(t.Context(), nil, "a.example")
		require.NoError(t, err)
		if bytes := cert.Leaf.SerialNumber.Bytes(); bytes[0] < 0x80 {
			continue
		}
		id, err := client.CertID(cert.Leaf)
		require.NoError(t, err)
		replace := func(r *client.Request) { r.Replaces = id }
		_, err = p.obtain(t.Context(), replace, "a.example")
		require.NoError(t, err)
		order, err := p.account.NewOrder(t.Context(), client.OrderRequest{Identifiers: cert.Issued, Replaces: id})
		require.ErrorIs(t, err, client.ErrAlreadyReplaced, "%v", order)
		return
	}
	t.Fatal("no such serial number in 10,000")
}

// The directory of a harness is what RFC 8555 says, so that the tests above are
// of a real CA.
func TestDirectory(t *testing.T) {
	t.Parallel()
	h := pebbleharness.New(t, pebbleharness.Options{})
	response, err := h.HTTPClient().Get(h.DirectoryURL())
	require.NoError(t, err)
	defer func() { _ = response.Body.Close() }()
	var directory map[string]any
	require.NoError(t, json.NewDecoder(response.Body).Decode(&directory))
	for _, entry := range []string{"newNonce", "newAccount", "newOrder", "revokeCert", "keyChange", "renewalInfo", "meta"} {
		require.Contains(t, directory, entry)
	}
}
