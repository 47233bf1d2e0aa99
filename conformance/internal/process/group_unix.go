//go:build unix

package process

import (
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// group gives a program a process group of its own.
func group(cmd *exec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} }

func terminate(cmd *exec.Cmd, mark string) {
	_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGTERM)
	for _, p := range marked(mark) {
		_ = syscall.Kill(p.pid, syscall.SIGTERM)
	}
}

// kill ends the group, and what has left it but carries the mark. It returns
// what was found running.
func kill(cmd *exec.Cmd, mark string) (found []string) {
	_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
	for range 20 { // what forks is caught in the end
		running := marked(mark)
		if len(running) == 0 {
			return found
		}
		for _, p := range running {
			if len(found) < 10 {
				found = append(found, p.name)
			}
			_ = syscall.Kill(p.pid, syscall.SIGKILL)
		}
		time.Sleep(5 * time.Millisecond)
	}
	return found
}

type running struct {
	pid  int
	name string
}

// marked finds the processes that inherited the mark. It finds nothing on
// systems without /proc.
func marked(mark string) (all []running) {
	files, _ := filepath.Glob("/proc/[0-9]*/environ")
	for _, file := range files {
		env, err := os.ReadFile(file)
		if err != nil || !hasMark(env, mark) {
			continue
		}
		pid, _ := strconv.Atoi(strings.Split(file, "/")[2])
		name, _ := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "cmdline"))
		all = append(all, running{pid, strings.TrimSpace(strings.ReplaceAll(string(name), "\x00", " "))})
	}
	return all
}

func hasMark(env []byte, mark string) bool {
	for v := range strings.SplitSeq(string(env), "\x00") {
		if v == mark {
			return true
		}
	}
	return false
}
