package main

import (
	"context"
	"os"
	"path/filepath"
	"strconv"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/acme-e2e/acme-e2e/pebbleharness"
)

// startCA gives each script a Pebble of its own, and tells it by variables:
// CA_DIRECTORY, CA_BUNDLE (what to trust to reach it), CA_ROOTS (what its
// certificates chain to), CA_HTTP_PORT (where it validates), CA_MANAGEMENT.
func startCA(env *testscript.Env) error {
	h, err := pebbleharness.Start(context.Background(), pebbleharness.Options{})
	if err != nil {
		return err
	}
	env.Defer(h.Close)
	dir := filepath.Join(env.WorkDir, ".ca")
	bundle, roots := filepath.Join(dir, "bundle.pem"), filepath.Join(dir, "roots.pem")
	if err := os.Mkdir(dir, 0o755); err != nil {
		return err
	}
	if err := os.WriteFile(bundle, h.RootPEM(), 0o644); err != nil {
		return err
	}
	if err := os.WriteFile(roots, h.IssuingRootsPEM(), 0o644); err != nil {
		return err
	}
	env.Setenv("CA_DIRECTORY", h.DirectoryURL())
	env.Setenv("CA_MANAGEMENT", h.ManagementURL())
	env.Setenv("CA_BUNDLE", bundle)
	env.Setenv("CA_ROOTS", roots)
	env.Setenv("CA_HTTP_PORT", strconv.Itoa(h.HTTPPort))
	return nil
}
