package servercases

import (
	"fmt"
)

// shared makes a thing that many cases look at, once for the whole run. Each
// case that asks for it gets the exchanges that led to it, too.
func shared[T any](s *scene, name string, make func(*scene) T) T {
	result := s.env.sharedResult(name)
	first := false
	result.once.Do(func() {
		first = true
		before := len(s.exchanges)
		defer func() {
			result.exchanges = append(result.exchanges, s.exchanges[before:]...)
			if caught := recover(); caught != nil {
				ended, ok := caught.(*stop)
				if !ok {
					ended = &stop{stopInconclusive, fmt.Sprintf("preparing %s: %v", name, caught)}
				}
				result.stop = ended
			}
		}()
		result.value = make(s)
	})
	if !first {
		for _, x := range result.exchanges {
			s.record(x)
		}
	}
	if result.stop != nil {
		if result.stop.kind == stopFailed {
			s.inconclusive("what many cases look at could not be prepared: the findings stand at another case")
		}
		panic(result.stop)
	}
	value, _ := result.value.(T)
	return value
}
