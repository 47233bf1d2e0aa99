package pebbleharness

import (
	"errors"
	"math/rand/v2"
	"net"
	"strconv"
	"sync"
)

// ports are the validation ports given out in this process. They can't be held
// by a listener, as a solver is to listen there, so they come from a range that
// systems don't use for outgoing connections, and each is given out once.
var ports = portRegistry{taken: map[int]bool{}}

const (
	firstPort = 10_000
	lastPort  = 32_000 // Linux hands out 32768 and up, others 49152 and up
)

type portRegistry struct {
	mu    sync.Mutex
	taken map[int]bool
}

func (r *portRegistry) reserve() (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for range 1000 {
		port := firstPort + rand.IntN(lastPort-firstPort)
		if r.taken[port] || !bindable(port) {
			continue
		}
		r.taken[port] = true
		return port, nil
	}
	return 0, errors.New("no free port found from 10000 to 32000")
}

func (r *portRegistry) release(port int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.taken, port)
}

func bindable(port int) bool {
	l, err := net.Listen("tcp", ":"+strconv.Itoa(port))
	if err != nil {
		return false
	}
	return l.Close() == nil
}
