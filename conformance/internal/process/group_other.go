//go:build !unix

package process

import "os/exec"

func group(*exec.Cmd) {}

func terminate(cmd *exec.Cmd, _ string) { _ = cmd.Process.Kill() }

func kill(cmd *exec.Cmd, _ string) []string {
	_ = cmd.Process.Kill()
	return nil
}
