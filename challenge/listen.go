package challenge

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"syscall"
)

// A ListenFunc opens the listener that a solver answers on. The solver closes
// what it returns when no challenge is pending any more, and calls it again for
// the next one. The default is that of net.ListenConfig, which for an address
// without a host listens on IPv4 and IPv6.
type ListenFunc func(ctx context.Context, network, address string) (net.Listener, error)

// ListenFile listens on a socket inherited from a parent, such as systemd's
// third file descriptor: ListenFile(os.NewFile(3, "http")). Each call works on
// a duplicate, so that the socket stays open for the next challenge; addresses
// are ignored. It is not to be had on Windows.
func ListenFile(f *os.File) ListenFunc {
	return func(context.Context, string, string) (net.Listener, error) {
		if f == nil {
			return nil, errors.New("no inherited socket: the file is nil")
		}
		l, err := net.FileListener(f)
		if err != nil {
			return nil, fmt.Errorf("inherited file %q is not a listening socket: %w", f.Name(), err)
		}
		return l, nil
	}
}

// Why a solver could not listen, for errors.Is.
var (
	// ErrPortTaken says that another program listens there.
	ErrPortTaken = errors.New("port is taken")
	// ErrPortNotAllowed says that the process may not listen there.
	ErrPortNotAllowed = errors.New("port needs a privilege")
)

// ListenError is why a solver could not listen on its address. It is
// ErrPortTaken or ErrPortNotAllowed to errors.Is where it is one of those.
type ListenError struct {
	Challenge string // the challenge's type
	Address   string
	Err       error
}

func (e *ListenError) Error() string {
	hint := "check the address"
	switch {
	case e.Is(ErrPortTaken):
		hint = "another program listens there: stop it, let it pass the challenge on, or answer from within it"
	case e.Is(ErrPortNotAllowed):
		hint = "run with the privilege to bind it (root or CAP_NET_BIND_SERVICE), hand in the socket, or listen on a higher port that the port is forwarded to"
	}
	return fmt.Sprintf("%s: listening on %q: %v; %s", e.Challenge, e.Address, e.Err, hint)
}

func (e *ListenError) Unwrap() error { return e.Err }

// The numbers that Windows has for an address in use and one forbidden.
const wsaAddressInUse, wsaAccess = syscall.Errno(10048), syscall.Errno(10013)

// Is makes ErrPortTaken and ErrPortNotAllowed of the system's errors.
func (e *ListenError) Is(target error) bool {
	switch target {
	case ErrPortTaken:
		return errors.Is(e.Err, syscall.EADDRINUSE) || errors.Is(e.Err, wsaAddressInUse)
	case ErrPortNotAllowed:
		return errors.Is(e.Err, fs.ErrPermission) || errors.Is(e.Err, wsaAccess)
	}
	return false
}

// door opens a listener for the first user and closes it after the last.
type door struct {
	users   int
	gate    chan struct{} // held while opening and closing
	close   func()
	address net.Addr
}

func (d *door) enter(ctx context.Context) error {
	select {
	case d.gate <- struct{}{}:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func (d *door) leave() { <-d.gate }

func listen(ctx context.Context, typ, address string, f ListenFunc) (net.Listener, error) {
	if f == nil {
		var lc net.ListenConfig
		f = lc.Listen
	}
	l, err := f(ctx, "tcp", address)
	if err != nil {
		return nil, &ListenError{Challenge: typ, Address: address, Err: err}
	}
	return l, nil
}

// open listens if nobody does yet and hands the listener to serve, which
// returns what closes it again and waits for its goroutines.
func (d *door) open(ctx context.Context, typ, address string, f ListenFunc, serve func(net.Listener) func()) error {
	if err := d.enter(ctx); err != nil {
		return err
	}
	defer d.leave()
	if d.users == 0 {
		l, err := listen(ctx, typ, address, f)
		if err != nil {
			return err
		}
		d.address, d.close = l.Addr(), serve(l)
	}
	d.users++
	return nil
}

// shut is for the one who has opened. It does not wait for ctx: the last user
// closes in any case.
func (d *door) shut() {
	d.gate <- struct{}{}
	defer d.leave()
	if d.users--; d.users == 0 {
		d.close()
		d.close, d.address = nil, nil
	}
}

// check tells whether open would succeed.
func (d *door) check(ctx context.Context, typ, address string, f ListenFunc) error {
	if err := d.enter(ctx); err != nil {
		return err
	}
	defer d.leave()
	if d.users > 0 {
		return nil
	}
	l, err := listen(ctx, typ, address, f)
	if err != nil {
		return err
	}
	return l.Close()
}

func (d *door) addr(ctx context.Context) net.Addr {
	if d.enter(ctx) != nil {
		return nil
	}
	defer d.leave()
	return d.address
}
