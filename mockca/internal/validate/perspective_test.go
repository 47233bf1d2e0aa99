package validate_test

import (
	"fmt"
	"net/netip"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/acme-e2e/acme-e2e/mockca/internal/validate"
)

func TestPerspectivesCorroborate(t *testing.T) {
	for _, tc := range []struct {
		perspectives, failing, quorum int
		valid                         bool
	}{
		{1, 0, 0, true}, {1, 1, 0, false}, {2, 1, 0, true}, {2, 2, 0, false}, {5, 1, 0, true}, {5, 2, 0, false},
		{6, 2, 0, true}, {6, 3, 0, false}, {4, 3, 1, true}, {4, 1, 4, false}, {2, 1, 99, false}, {2, 0, 99, true},
	} {
		t.Run(fmt.Sprintf("%+v", tc), func(t *testing.T) {
			w, blind := newWorld(), newWorld()
			w.SetA("a.example", netip.MustParseAddr("192.0.2.1"))
			w.serve(t, "192.0.2.1:5002", keyAuthorization)
			c := validate.Config{Quorum: tc.quorum}
			for i := range tc.perspectives {
				p := validate.Perspective{Name: fmt.Sprintf("p%d", i)}
				if i < tc.failing {
					p.Dial = blind.dial
				}
				c.Perspectives = append(c.Perspectives, p)
			}
			result := w.validator(c).Validate(t.Context(), request(validate.HTTP01, "a.example"))
			require.Len(t, result.Perspectives, tc.perspectives)
			require.Len(t, result.Records, tc.perspectives+1)
			require.Empty(t, result.Records[0].Perspective)
			for i, o := range result.Perspectives {
				require.Equal(t, fmt.Sprintf("p%d", i), o.Perspective)
				require.Equal(t, i < tc.failing, o.Problem != nil)
				require.Equal(t, o.Perspective, o.Records[0].Perspective)
			}
			if tc.valid {
				requireProblem(t, result.Problem, "", "")
			} else {
				requireProblem(t, result.Problem, "connection", "During secondary validation (p0): 192.0.2.1: Fetching")
			}
		})
	}
}

func TestPerspectivesAreNotAskedWhenTheFirstLookFails(t *testing.T) {
	w, other := newWorld(), newWorld()
	result := w.validator(validate.Config{Perspectives: []validate.Perspective{{DNS: other}}}).Validate(t.Context(), request(validate.DNS01, "a.example"))
	requireProblem(t, result.Problem, "dns", "NXDOMAIN")
	require.Empty(t, other.Queries())
	require.Empty(t, result.Perspectives)
}

func TestPerspectiveCanBeMadeToFail(t *testing.T) {
	w := newWorld()
	w.SetTXT("_acme-challenge.a.example", digest())
	failing := &validate.Problem{Type: validate.DNS, Detail: "as told"}
	result := w.validator(validate.Config{Perspectives: []validate.Perspective{{Fail: failing}}}).Validate(t.Context(), request(validate.DNS01, "a.example"))
	requireProblem(t, result.Problem, "dns", "During secondary validation (perspective 1): as told")
	require.Equal(t, "as told", failing.Detail)
}
