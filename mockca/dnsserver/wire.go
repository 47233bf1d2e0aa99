package dnsserver

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"time"

	"github.com/miekg/dns"
)

// RFC 1035, Section 4.2: messages over UDP and TCP.

// idle is how long a TCP connection may be without a question, and how long a
// write may take.
const idle = 30 * time.Second

func (s *Server) serveUDP(c net.PacketConn) {
	defer s.wg.Done()
	buffer := make([]byte, dns.MaxMsgSize)
	for {
		n, from, err := c.ReadFrom(buffer)
		if err != nil {
			if s.ended.Err() != nil || errors.Is(err, net.ErrClosed) {
				return
			}
			continue // an ICMP message about an answer nobody waited for
		}
		raw := append([]byte(nil), buffer[:n]...)
		if !s.acquire() {
			return
		}
		s.wg.Add(1) // the loop itself keeps the count above zero
		go func() {
			defer s.wg.Done()
			defer s.release()
			if answer := s.serve(s.ended, raw, "udp", from.String()); answer != nil {
				_, _ = c.WriteTo(answer, from)
			}
		}()
	}
}

func (s *Server) serveTCP(l net.Listener) {
	defer s.wg.Done()
	for {
		c, err := l.Accept()
		if err != nil {
			if s.ended.Err() != nil || errors.Is(err, net.ErrClosed) {
				return
			}
			select { // out of file descriptors, say
			case <-s.ended.Done():
			case <-time.After(10 * time.Millisecond):
			}
			continue
		}
		if !s.acquire() || !s.track(c) {
			_ = c.Close()
			return
		}
		s.wg.Add(1)
		go func() {
			defer s.wg.Done()
			defer s.release()
			defer s.untrack(c)
			s.serveConn(c)
		}()
	}
}

// acquire waits for room to serve one more; false when closed.
func (s *Server) acquire() bool {
	select {
	case s.slots <- struct{}{}:
		return true
	case <-s.ended.Done():
		return false
	}
}

func (s *Server) release() { <-s.slots }

// track remembers a connection so that Close ends it; false when closed.
func (s *Server) track(c net.Conn) bool {
	s.life.Lock()
	defer s.life.Unlock()
	if s.closed {
		return false
	}
	s.conns[c] = true
	return true
}

func (s *Server) untrack(c net.Conn) {
	s.life.Lock()
	delete(s.conns, c)
	s.life.Unlock()
	_ = c.Close()
}

// serveConn answers the questions of one connection, in order.
func (s *Server) serveConn(c net.Conn) {
	for {
		_ = c.SetDeadline(time.Now().Add(idle))
		var length [2]byte
		if _, err := io.ReadFull(c, length[:]); err != nil {
			return
		}
		raw := make([]byte, binary.BigEndian.Uint16(length[:]))
		if _, err := io.ReadFull(c, raw); err != nil {
			return
		}
		answer := s.serve(s.ended, raw, "tcp", c.RemoteAddr().String())
		if answer == nil {
			continue
		}
		_ = c.SetDeadline(time.Now().Add(idle))
		framed := binary.BigEndian.AppendUint16(make([]byte, 0, len(answer)+2), uint16(len(answer)))
		if _, err := c.Write(append(framed, answer...)); err != nil {
			return
		}
	}
}

// serve answers one message in wire form; nil means that there is no answer.
func (s *Server) serve(ctx context.Context, raw []byte, network, remote string) []byte {
	q := new(dns.Msg)
	if err := q.Unpack(raw); err != nil || malformedTSIG(q) {
		return formErr(raw)
	}
	if q.Response {
		return nil
	}
	sig := s.verify(q, raw)
	m := s.respond(ctx, q, sig, network, remote)
	if m == nil {
		return nil
	}
	size := dns.MaxMsgSize
	if opt := q.IsEdns0(); opt != nil {
		m.SetEdns0(4096, opt.Do())
		size = int(opt.UDPSize())
	} else {
		size = dns.MinMsgSize
	}
	if network == "udp" {
		size = max(size, dns.MinMsgSize) - sig.room()
	} else {
		size = dns.MaxMsgSize - sig.room()
	}
	m.Truncate(size)
	answer, err := sig.pack(m)
	if err != nil {
		s.log.Warn("dnsserver: an answer cannot be written", "error", err)
		return formErr(raw)
	}
	return answer
}

// formErr answers what cannot be read, when it has a header at least.
func formErr(raw []byte) []byte {
	if len(raw) < 12 || raw[2]&0x80 != 0 {
		return nil
	}
	answer := make([]byte, 12)
	copy(answer, raw[:3])
	answer[2] |= 0x80
	answer[3] = dns.RcodeFormatError
	return answer
}

// Exchange answers a question within the process: the same answers, Queries and
// Behaviors as on the wire, without the limits of UDP. Without an answer it
// waits for ctx to end. Updates are refused unless UnsignedUpdates is set, since
// there is no signature without the wire.
func (s *Server) Exchange(ctx context.Context, q *dns.Msg) (*dns.Msg, error) {
	if q.Opcode == dns.OpcodeUpdate { // its checks look at lengths, which messages get on the wire
		raw, err := q.Pack()
		if err == nil {
			q = new(dns.Msg)
			err = q.Unpack(raw)
		}
		if err != nil {
			return nil, err
		}
	}
	m := s.respond(ctx, q, signature{}, "process", "")
	if m == nil {
		<-ctx.Done()
	}
	if err := context.Cause(ctx); err != nil {
		return nil, err
	}
	return m, nil
}
