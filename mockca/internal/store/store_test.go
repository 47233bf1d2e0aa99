package store

import (
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

var start = time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)

func TestANonceCountsOnce(t *testing.T) {
	t.Parallel()
	n := NewNonces()
	a, b := n.Issue(start), n.Issue(start)
	require.NotEqual(t, a, b)
	require.Equal(t, Fresh, n.Redeem(a, start, time.Hour))
	require.Equal(t, Used, n.Redeem(a, start, time.Hour))
	require.Equal(t, Expired, n.Redeem(b, start.Add(time.Hour+time.Second), time.Hour))
	require.Equal(t, Unknown, NewNonces().Redeem(b, start, time.Hour))
	for _, s := range []string{"", "AAAA", "not base64!", "AAAAAAAAAAAAAAAAAAAAAA", b + "A"} {
		require.Equal(t, Unknown, n.Redeem(s, start, time.Hour), s)
	}
}

func TestNoncesOutsideTheWindowAreUnknown(t *testing.T) {
	t.Parallel()
	n := NewNonces()
	old := n.Issue(start)
	for range NonceWindow - 1 {
		n.Issue(start)
	}
	second := n.Issue(start) // takes the place of the first
	require.Equal(t, Unknown, n.Redeem(old, start, 0))
	require.Equal(t, Fresh, n.Redeem(second, start, 0))
	require.LessOrEqual(t, len(n.used), NonceWindow/64)
}

func TestNoncesAtOnce(t *testing.T) {
	t.Parallel()
	n := NewNonces()
	var mu sync.Mutex
	seen := make(map[string]bool)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 500 {
				s := n.Issue(start)
				mu.Lock()
				if seen[s] {
					t.Errorf("nonce %s twice", s)
				}
				seen[s] = true
				mu.Unlock()
				if v := n.Redeem(s, start, time.Hour); v != Fresh {
					t.Errorf("verdict %d", v)
				}
			}
		})
	}
	wg.Wait()
}

func TestQueueForgetsTheOldest(t *testing.T) {
	t.Parallel()
	q := Queue[int]{Limit: 3}
	for i := range 10 {
		oldest, removed := q.Push(i)
		require.Equal(t, i >= 3, removed)
		if removed {
			require.Equal(t, i-3, oldest)
		}
	}
	q.Reset()
	_, removed := q.Push(1)
	require.False(t, removed)
	_, removed = (&Queue[int]{}).Push(1)
	require.False(t, removed)
}
