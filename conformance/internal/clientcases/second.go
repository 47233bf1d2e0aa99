package clientcases

import (
	"os"
	"path/filepath"

	"github.com/acme-e2e/acme-e2e/mockca"
)

// otherCA is one more CA, for clients that deal with several.
type otherCA struct {
	ca          *mockca.CA
	url, bundle string
}

func (t *Trial) secondCA() otherCA {
	ca, err := mockca.Start(t.Context(), mockca.Options{Validation: mockca.Validation{HTTPPort: t.Env.HTTPPort, TLSPort: t.Env.TLSPort, DNS: t.DNS}})
	if err != nil {
		t.Inconclusive("starting a second CA: %v", err)
	}
	t.closers = append(t.closers, func() { _ = ca.Close() })
	bundle := filepath.Join(t.world.dir, "ca", "second.pem")
	if err := os.WriteFile(bundle, ca.RootPEM(), 0o600); err != nil {
		t.Inconclusive("writing what to trust: %v", err)
	}
	return otherCA{ca, ca.DirectoryURL(), bundle}
}
