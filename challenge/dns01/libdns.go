package dns01

import (
	"context"

	"github.com/libdns/libdns"
)

// LibdnsProvider is what a provider of the libdns ecosystem has to offer.
type LibdnsProvider interface {
	libdns.RecordAppender
	libdns.RecordDeleter
}

// Libdns makes a Provider of one of the libdns ecosystem. It is asked for one
// change at a time: many of them read a record set, add to it and write it back,
// and two at once would lose a value.
func Libdns(p LibdnsProvider) Provider {
	return libdnsProvider{p: p, turn: make(chan struct{}, 1)}
}

type libdnsProvider struct {
	p    LibdnsProvider
	turn chan struct{}
}

func (l libdnsProvider) take(ctx context.Context) error {
	select {
	case l.turn <- struct{}{}:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func txt(r Record) libdns.Record {
	return libdns.TXT{Name: libdns.RelativeName(r.Name, r.Zone), TTL: r.TTL, Text: r.Value}
}

func (l libdnsProvider) Append(ctx context.Context, r Record) error {
	if err := l.take(ctx); err != nil {
		return err
	}
	defer func() { <-l.turn }()
	_, err := l.p.AppendRecords(ctx, r.Zone, []libdns.Record{txt(r)})
	return err
}

func (l libdnsProvider) Remove(ctx context.Context, r Record) error {
	if err := l.take(ctx); err != nil {
		return err
	}
	defer func() { <-l.turn }()
	_, err := l.p.DeleteRecords(ctx, r.Zone, []libdns.Record{txt(r)})
	return err
}
