package client

import (
	"bytes"
	"crypto/ecdsa"
	"encoding/asn1"
	"math/big"
	"testing"

	"github.com/stretchr/testify/require"
)

// FuzzECDSASignature holds the decoder of signatures, which a device may have
// made, against encoding/asn1.
func FuzzECDSASignature(f *testing.F) {
	for _, der := range [][]byte{nil, {0x30, 6, 2, 1, 1, 2, 1, 2}, {0x30, 6, 2, 1, 0, 2, 1, 1}, {0x30, 7, 2, 2, 0, 0x80, 2, 1, 1},
		{0x30, 7, 2, 1, 1, 2, 1, 1, 0}, {0x30, 0x81, 6, 2, 1, 1, 2, 1, 1}, {0x30, 0x82, 0, 6, 2, 1, 1, 2, 1, 1}, {0x30, 6, 2, 1, 0xff, 2, 1, 1}} {
		f.Add(der)
	}
	pub := testKey(f).Public().(*ecdsa.PublicKey)
	s := newECDSASigner(nil, pub)
	f.Fuzz(func(t *testing.T, der []byte) {
		got, err := s.fixedWidth(der)
		var want struct{ R, S *big.Int }
		rest, werr := asn1.Unmarshal(der, &want)
		inRange := func(n *big.Int) bool { return n.Sign() > 0 && n.Cmp(pub.Params().N) < 0 }
		if werr == nil && len(rest) == 0 && inRange(want.R) && inRange(want.S) {
			again, merr := asn1.Marshal(want)
			require.NoError(t, merr)
			if bytes.Equal(again, der) { // asn1 lets surplus in the sequence pass
				require.NoError(t, err)
			}
		}
		if err != nil {
			return
		}
		require.Len(t, got, 64)
		require.True(t, inRange(new(big.Int).SetBytes(got[:32])) && inRange(new(big.Int).SetBytes(got[32:])))
		if werr == nil { // asn1 also wants the shortest form
			require.Zero(t, want.R.Cmp(new(big.Int).SetBytes(got[:32])))
			require.Zero(t, want.S.Cmp(new(big.Int).SetBytes(got[32:])))
		}
	})
}
