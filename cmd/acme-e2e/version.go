package main

import (
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"
)

// version is the module's version as the Go tool recorded it, with the commit
// when it was built from a checkout.
func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok || info.Main.Version == "" {
		return "devel"
	}
	return info.Main.Version
}

func newVersionCommand(tty *terminal) *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Show the version, the Go it was built with and the platform",
		Args:  noArgs,
		RunE: func(*cobra.Command, []string) error {
			v := struct {
				Version  string `json:"version"`
				Go       string `json:"go"`
				Platform string `json:"platform"`
			}{version(), runtime.Version(), runtime.GOOS + "/" + runtime.GOARCH}
			if tty.json {
				return tty.document(v)
			}
			_, err := fmt.Fprintf(tty.out, "acme-e2e %s %s %s\n", v.Version, v.Go, v.Platform)
			return err
		},
	}
}
