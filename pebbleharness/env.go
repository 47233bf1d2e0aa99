package pebbleharness

import (
	"os"
	"sync"
)

// environmentLock is held while Pebble is constructed: it reads half of its
// options from the variables of the whole process, and only then.
var environmentLock sync.Mutex

// lockEnvironment sets the variables and returns a function that puts back what
// was there before it lets the next harness in.
func lockEnvironment(vars map[string]string) (restore func()) {
	environmentLock.Lock()
	type was struct {
		value string
		set   bool
	}
	before := make(map[string]was, len(vars))
	for name, value := range vars {
		old, set := os.LookupEnv(name)
		before[name] = was{old, set}
		_ = os.Setenv(name, value) // fails only for names and values with NUL or "="
	}
	return func() {
		defer environmentLock.Unlock()
		for name, old := range before {
			if old.set {
				_ = os.Setenv(name, old.value)
			} else {
				_ = os.Unsetenv(name)
			}
		}
	}
}
