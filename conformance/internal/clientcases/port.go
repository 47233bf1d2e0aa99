package clientcases

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"sync"
)

// port is a port that is free and that no other scenario of this process uses.
// Its number lies below those that systems hand out by themselves, so that
// nobody gets it by chance before the client listens there.
type port struct{ number int }

const firstPort, lastPort = 10_100, 32_000

var reserved = struct {
	sync.Mutex
	numbers map[int]bool
}{numbers: map[int]bool{}}

func reservePort() (*port, error) {
	var last error
	for range 200 {
		number := firstPort + rand.IntN(lastPort-firstPort)
		if last = tryPort(number); last == nil {
			return &port{number}, nil
		}
	}
	return nil, fmt.Errorf("no free port between %d and %d: %w", firstPort, lastPort, last)
}

var errReserved = errors.New("reserved")

func tryPort(number int) error {
	reserved.Lock()
	defer reserved.Unlock()
	if reserved.numbers[number] {
		return errReserved
	}
	l, err := net.Listen("tcp", fmt.Sprintf(":%d", number))
	if err != nil {
		return err
	}
	reserved.numbers[number] = true
	return l.Close()
}

func (p *port) release() {
	reserved.Lock()
	defer reserved.Unlock()
	delete(reserved.numbers, p.number)
}
